//! `/-/healthy` and `/-/ready`, for orchestration: 200 or 503, and in words what is wrong.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use keepwatch_bus::subject::VrrpState;

use crate::routes::Shared;

/// The hub goes round twice a second; one that has not for so long hangs.
const STILL: Duration = Duration::from_secs(5);

/// Healthy: events are taken in, and no part stands still. (When the thread of the virtual routers stands still, the
/// supervisor ends this process; there is nobody then who could answer.)
pub(crate) async fn healthy(State(shared): State<Shared>) -> (StatusCode, String) {
    let still = shared.reader.still();
    if still > STILL {
        let text = format!("keepwatch is not healthy: no event was taken in for {} s\n", still.as_secs());
        return (StatusCode::SERVICE_UNAVAILABLE, text);
    }
    let world = shared.reader.world();
    if let Some((part, hung)) = world.hung.iter().next() {
        let text =
            format!("keepwatch is not healthy: {part} hangs since {:.3}: {}\n", hung.since, hung.doing);
        return (StatusCode::SERVICE_UNAVAILABLE, text);
    }
    (StatusCode::OK, "keepwatch is healthy\n".into())
}

/// Ready: a configuration is in force, every virtual router has begun and every virtual server is in the table, or
/// it is known why not; until a stop begins.
pub(crate) async fn ready(State(shared): State<Shared>) -> (StatusCode, String) {
    let world = shared.reader.world();
    let not = |why: String| (StatusCode::SERVICE_UNAVAILABLE, format!("keepwatch is {why}\n"));
    if world.stopping {
        return not("stopping".into());
    }
    if world.config.generation == 0 {
        return not("starting: no configuration is in force yet".into());
    }
    let begins = |state| state == VrrpState::Init;
    if let Some(instance) = world.instances.values().find(|instance| begins(instance.state)) {
        return not(format!("starting: virtual router {} has not begun yet", instance.name));
    }
    let acts = matches!(&*world.settings.dataplane, "ipvs" | "memory") && world.ipvs_error.is_none();
    let missing = world.services.values().find(|s| !s.present && s.refused.is_none());
    if let Some(service) = missing.filter(|_| acts) {
        return not(format!("starting: virtual server {} is not in the table yet", service.key));
    }
    (StatusCode::OK, "keepwatch is ready\n".into())
}
