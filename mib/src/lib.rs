//! KEEPALIVED-MIB served over AgentX from the world of keepwatch.
