//! `vrrp_instance`: what is written of one (`draft`), read block by block (`read`, and the files that are called as what
//! they read), and made the model of once everything is known (`resolve`).

mod advert;
mod auth_hmac;
mod authentication;
mod contradictions;
mod draft;
mod link;
mod path;
mod read;
mod resolve;
mod routers;
mod settled;
mod strict_mode;
mod vmac;
mod vmac_users;

pub(super) use draft::InstanceDraft;
pub(super) use resolve::resolve;
