//! An AgentX (RFC 2741) subagent: codec and session.
