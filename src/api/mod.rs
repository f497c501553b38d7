//! CONTRACT: HTTP on loopback: `/healthz`, `/readyz`, `/metrics`.
