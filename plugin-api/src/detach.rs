//! Starts a program that outlives its starter.
