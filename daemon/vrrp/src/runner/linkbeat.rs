//! The thread that asks interfaces for their link (`linkbeat_interfaces`, `linkbeat_use_polling`), since a driver may take
//! its time to answer. In: which interfaces. Out: how each stands, when that is news, as a command to the thread "vrrp".

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use keepwatch_bus::fact::LinkFact;
use keepwatch_bus::mailbox::WeakSender;
use keepwatch_bus::subject::Name;
use keepwatch_model::LinkbeatMethod;
use keepwatch_net::linkbeat::{Linkbeat, Method};

use super::Command;

/// Between two questions, as in keepalived.
const PACE: Duration = Duration::from_secs(1);

/// Which interfaces are asked, each in its way, or in the first one that it answers to if there is none or its driver does
/// not know that.
pub(super) type Asked = HashMap<Name, Option<LinkbeatMethod>>;

/// The thread; it ends when this is dropped, or the thread "vrrp" does.
pub(super) struct Poller(Sender<Asked>);

impl Poller {
    /// Starts to ask what [`Poller::ask`] says.
    pub(super) fn start(tell: WeakSender<Command>) -> std::io::Result<Self> {
        let linkbeat = Linkbeat::open()?;
        let (sender, inbox) = channel();
        std::thread::Builder::new().name("linkbeat".into()).spawn(move || poll(&linkbeat, &inbox, &tell))?;
        Ok(Self(sender))
    }

    /// These from now on.
    pub(super) fn ask(&self, asked: Asked) {
        // Without the thread nothing is asked, and what the kernel tells by itself counts.
        let _ = self.0.send(asked);
    }
}

/// All ways, the one that tells most first.
const ALL: [LinkbeatMethod; 3] = [LinkbeatMethod::Mii, LinkbeatMethod::Ethtool, LinkbeatMethod::Ioctl];

fn method(of: LinkbeatMethod) -> Method {
    match of {
        LinkbeatMethod::Mii => Method::Mii,
        LinkbeatMethod::Ethtool => Method::Ethtool,
        LinkbeatMethod::Ioctl => Method::Flags,
    }
}

fn poll(linkbeat: &Linkbeat, inbox: &Receiver<Asked>, tell: &WeakSender<Command>) {
    let mut asked = Asked::new();
    let mut methods: HashMap<Name, Method> = HashMap::new();
    // With the number of the interface: one that was made again is another.
    let mut known: HashMap<Name, (Option<u32>, bool)> = HashMap::new();
    loop {
        let Some(commands) = tell.upgrade() else { return };
        for (name, wanted) in &asked {
            let index = nix::net::if_::if_nametoindex(&**name).ok();
            let method = match methods.get(name) {
                Some(known) => *known,
                None => {
                    let all = wanted.iter().copied().chain(ALL);
                    let Some(first) = all.into_iter().find(|m| linkbeat.ask(name, method(*m)).is_ok()) else {
                        known.remove(name);
                        continue;
                    };
                    if let Some(wanted) = wanted.filter(|wanted| *wanted != first) {
                        let (interface, used) = (name.clone(), first);
                        commands.send(Command::Tell(LinkFact::LinkbeatOtherwise { interface, wanted, used }));
                    }
                    methods.insert(name.clone(), method(first));
                    method(first)
                }
            };
            // One that is not there is told of by the kernel. What it said before is forgotten there: when it is made
            // again, it has to be said again.
            let Ok(link) = linkbeat.ask(name, method) else {
                known.remove(name);
                methods.remove(name);
                continue;
            };
            if known.insert(name.clone(), (index, link)) != Some((index, link)) {
                commands.send(Command::Linkbeat { interface: name.clone(), link });
            }
        }
        drop(commands);
        match inbox.recv_timeout(PACE) {
            Ok(new) => {
                known.retain(|name, _| new.contains_key(name));
                methods.retain(|name, _| new.get(name) == asked.get(name));
                asked = new;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
