//! The `vyrox` binary. Everything it does is in the library.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Every alert is many small allocations that one thread makes and another frees, which this
/// allocator does with less work than the system's.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    vyrox::cli::main()
}
