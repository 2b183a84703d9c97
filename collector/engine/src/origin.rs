//! Who vouches for a record.

/// Says whether the kernel vouches for a record. Travels with it into the alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// Any user may have written it.
    Unverified,
    /// The kernel wrote it.
    Kernel,
}
