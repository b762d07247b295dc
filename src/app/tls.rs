//! TLS for the listener.

use std::path::Path;

use anyhow::Context as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

use crate::config::ServerConfig;

/// The TLS side of the server, if the configuration has one.
///
/// # Errors
/// Names the file that is missing, unreadable or no PEM, or says that the two do not belong together.
pub(crate) fn config(server: &ServerConfig) -> anyhow::Result<Option<rustls::ServerConfig>> {
    let (Some(cert), Some(key)) = (&server.tls_cert_path, &server.tls_key_path) else {
        return Ok(None);
    };
    let chain = chain(cert)?;
    let key = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("{} holds no PEM private key", key.display()))?;
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("the certificate and the key do not belong together")?;
    Ok(Some(config))
}

fn chain(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let named = || format!("{} holds no PEM certificates", path.display());
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
        .with_context(named)?
        .collect();
    let chain = chain.with_context(named)?;
    anyhow::ensure!(!chain.is_empty(), "{}", named());
    Ok(chain)
}
