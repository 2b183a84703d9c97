//! `docs/COVERAGE.md`: what is found, and what is not. A command writes it, and a test holds it to the engine.

pub mod comparison;
pub mod document;
pub mod rows;
pub mod transform;
pub mod verdict;
