//! What the tests and benchmarks need and the program must not have. Never released.

/// A worker that ends or stops at a named event.
pub mod fault;
/// The driver's port without Chromium.
pub mod text_browser;
