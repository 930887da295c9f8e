//! Each endpoint of the contract, through the HTTP port.

mod operation;
