//! The name on the bus, and the paths of objects.

use keepwatch_model::{Global, Instance, Name};

/// What the configuration says of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The name on the bus (`dbus_service_name`).
    pub service: Name,
    /// What stands in paths of virtual routers without an interface (`dbus_no_interface_name`).
    no_interface: Name,
    /// `/org/keepalived/Vrrp1`, with the namespace and the name of the daemon's instance where there are such.
    root: String,
}

impl Names {
    /// Those of a configuration; none if it does not have `enable_dbus`.
    pub fn of(global: &Global) -> Option<Self> {
        let mut root = String::from("/org/keepalived/Vrrp1");
        for part in [&global.net_namespace, &global.instance_name].into_iter().flatten() {
            root.push('/');
            push_element(&mut root, part);
        }
        let dbus = &global.dbus;
        dbus.enabled.then(|| Self {
            service: dbus.service_name.clone(),
            no_interface: dbus.no_interface_name.clone(),
            root,
        })
    }

    /// The path of the daemon's own object.
    pub fn daemon(&self) -> String {
        format!("{}/Vrrp", self.root)
    }

    /// The path of a virtual router: its interface, id and family. Its name is not in it.
    pub fn instance(&self, instance: &Instance) -> String {
        let mut path = format!("{}/Instance/", self.root);
        push_element(&mut path, instance.interface.as_ref().unwrap_or(&self.no_interface));
        path.push_str(&format!("/{}/{}", instance.vrid.0, instance.family));
        path
    }
}

/// What a path can't hold becomes `_`, as in keepalived: two names can meet in one path.
fn push_element(path: &mut String, name: &str) {
    let element = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' });
    path.extend(element);
    if name.is_empty() {
        path.push('_');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_path_cannot_hold_becomes_an_underscore() {
        for (name, element) in [("eth0", "eth0"), ("eth0.100", "eth0_100"), ("br-lan", "br_lan"), ("é", "_")]
        {
            let mut path = String::new();
            push_element(&mut path, name);
            assert_eq!(path, element);
        }
    }

    #[test]
    fn namespace_and_instance_stand_in_the_path_and_not_in_the_name() {
        let mut global = Global::default();
        assert_eq!(Names::of(&global), None);
        global.dbus.enabled = true;
        global.net_namespace = Some("blue".into());
        global.instance_name = Some("one".into());
        let names = Names::of(&global).unwrap();
        assert_eq!(names.daemon(), "/org/keepalived/Vrrp1/blue/one/Vrrp");
        assert_eq!(&*names.service, "org.keepalived.Vrrp1");
    }
}
