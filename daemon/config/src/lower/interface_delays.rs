//! `interface_up_down_delays` beside the intervals of those whose interface it is.

use std::time::Duration;

use crate::diagnostics::Diagnostic;
use crate::model::Config;
use crate::preprocess::Context;
use crate::source::Span;

/// A master whose interface is down must know it before others take over, or there are two: as in keepalived, the delay of
/// its interface is cut to what the others wait at the least, less one interval; where they wait for one advert only, there
/// can be none. `places` has where each delay stands.
pub(super) fn cap(config: &mut Config, places: &[Span], context: &mut Context) {
    for (delays, at) in config.global.interface_delays.iter_mut().zip(places) {
        let (written_down, written_up) = (delays.down, delays.up);
        let mut shortest = None;
        for instance in config.instances.iter().filter(|i| i.interface.as_ref() == Some(&delays.interface)) {
            let adverts = u32::from(instance.down_timer_adverts).max(1) - 1;
            if adverts == 0 {
                (delays.down, delays.up) = (Duration::ZERO, Duration::ZERO);
            } else {
                let most = instance.advert_int * adverts - instance.advert_int / 256;
                if delays.up == delays.down {
                    delays.up = delays.up.min(most);
                }
                delays.down = delays.down.min(most);
            }
            if (delays.down, delays.up) != (written_down, written_up) {
                shortest.get_or_insert(&instance.name);
            }
        }
        let Some(name) = shortest else { continue };
        let message = format!(
            "others take over from `{name}` before `{}` has been down for {written_down:?}",
            delays.interface
        );
        let mut label = format!("it counts as down after {:?}", delays.down);
        if delays.up != written_up {
            label += &format!(", and as up after {:?}", delays.up);
        }
        context.report(
            Diagnostic::warning("conflict", message)
                .at(*at, label)
                .help("the most is (`down_timer_adverts` - 1) x `advert_int`, less a 256th of `advert_int`"),
        );
    }
}
