//! What operators do to a running daemon, in every state that it can be in, and how it is left: tables of actions, run side
//! by side, each row on a host of its own.

mod changes;
mod endurance;
mod play;
mod side_by_side;
mod signals;
mod surroundings;
mod upgrade;
