//! Runs one command to its end: own process group, `/dev/null` as input, a time limit, bounded output.
