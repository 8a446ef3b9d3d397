//! Pieces of HTML: text from outside made safe, in elements and in quoted attributes; times and time spans.

use std::fmt::{self, Display, Formatter, Write};

use jiff::{SignedDuration, Timestamp};

/// Displays a text with the characters escaped that mean something in HTML.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                character => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

/// A time, in UTC; the page's script writes it anew in the reader's zone.
pub(super) struct At(pub(super) Timestamp);

impl Display for At {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let text = self.0.strftime("%Y-%m-%d %H:%M:%S%.3f");
        write!(f, "<time class=\"at\" datetime=\"{:.3}\">{text} UTC</time>", self.0)
    }
}

/// How long ago something was, which the script keeps right; the first is now.
pub(super) struct Ago(pub(super) Timestamp, pub(super) Timestamp);

impl Display for Ago {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let passed = span(self.0.duration_since(self.1));
        write!(f, "<time class=\"ago\" datetime=\"{:.3}\">{passed}</time>", self.1)
    }
}

/// A time span in the one or two units that matter.
pub(super) fn span(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// A short time in the unit that suits it: `1.3 ms`.
pub(super) fn brief(microseconds: u32) -> String {
    match microseconds {
        0..1_000 => format!("{microseconds} µs"),
        1_000..100_000 => format!("{:.1} ms", f64::from(microseconds) / 1e3),
        100_000..1_000_000 => format!("{} ms", microseconds / 1_000),
        _ => format!("{:.1} s", f64::from(microseconds) / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_well() {
        let cases = [(0, "0 s"), (-5, "0 s"), (61, "1 min 1 s"), (7260, "2 h 1 min"), (180_000, "2 d 2 h")];
        for (seconds, text) in cases {
            assert_eq!(span(SignedDuration::from_secs(seconds)), text);
        }
        for (time, text) in [(7, "7 µs"), (1340, "1.3 ms"), (250_000, "250 ms"), (3_610_000, "3.6 s")] {
            assert_eq!(brief(time), text);
        }
    }

    #[test]
    fn nothing_of_a_hostile_name_is_markup() {
        assert_eq!(
            Escaped("</td><script>alert('&\"')</script>").to_string(),
            "&lt;/td&gt;&lt;script&gt;alert(&#39;&amp;&quot;&#39;)&lt;/script&gt;"
        );
    }
}
