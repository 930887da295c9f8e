//! Question sets: how they are asked for, generated, kept and cleaned up.

pub mod generator;
