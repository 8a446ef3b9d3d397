//! What keepwatch tells the outside: e-mail.
