//! Failover and health-check daemon that reads keepalived.conf and can always tell what happened and why.
