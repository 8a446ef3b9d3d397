//! Products that have keepalived in them: each writes its file, starts it, sends it signals and reads what it writes, in
//! its own way. A play does what the product does, in our own words, and judges by the product's rules; it passes with
//! Debian's keepalived, and with ours under the name `keepalived`. `docs/embedded.md` has the table.

mod ansible;
mod chef;
mod exporter;
mod kube_vip;
mod kubeadm;
mod machine;
mod neutron;
mod octavia;
mod opennebula;
mod openshift;
mod operator;
mod puppet;
mod truenas;
mod unit;
mod vyos;

/// The play of this module as two tests.
macro_rules! with_both {
    () => {
        #[test]
        fn with_keepalived() -> anyhow::Result<()> {
            play(crate::machine::Make::Debian)
        }

        #[test]
        fn with_keepwatch() -> anyhow::Result<()> {
            play(crate::machine::Make::Ours)
        }
    };
}
pub(crate) use with_both;
