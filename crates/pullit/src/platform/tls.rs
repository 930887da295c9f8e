//! The one TLS provider of the process: rustls with ring.

/// Makes ring the provider of whoever asks rustls for one. `main` does it first; a second call changes nothing.
pub fn install() {
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
}
