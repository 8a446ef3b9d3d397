//! Health checkers, their scheduler and the real-server machine.
