//! placeholder
use crate::cli::Failure;
use crate::cli::arguments::NewOptions;
use std::io::Write;
pub(super) fn new(_options: &NewOptions, _out: &mut dyn Write) -> Result<(), Failure> {
    Ok(())
}
