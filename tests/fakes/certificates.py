"""A private authority and a certificate of its own for 127.0.0.1, as files."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization

PASSWORD = "open sesame"


@dataclass(frozen=True)
class Certificate:
    """`authority`: who signed it, for clients to trust."""

    authority: Path
    certfile: Path
    keyfile: Path
    encrypted_keyfile: Path  # the same key, under PASSWORD
    other_keyfile: Path  # of another certificate

    def client_context(self) -> ssl.SSLContext:
        """For a client that trusts the authority, and no other."""
        return ssl.create_default_context(cafile=self.authority)


def new_certificate(folder: Path) -> Certificate:
    """Written into `folder`."""
    made = Certificate(*(folder / f"{name}.pem" for name in ("authority", "cert", "key", "encrypted", "other")))
    authority = trustme.CA()
    authority.cert_pem.write_to_path(made.authority)
    issued = authority.issue_cert("127.0.0.1", "localhost")
    for pem in issued.cert_chain_pems:
        pem.write_to_path(made.certfile, append=True)
    issued.private_key_pem.write_to_path(made.keyfile)
    authority.issue_cert("127.0.0.1").private_key_pem.write_to_path(made.other_keyfile)
    key = serialization.load_pem_private_key(made.keyfile.read_bytes(), None)
    encryption = serialization.BestAvailableEncryption(PASSWORD.encode())
    made.encrypted_keyfile.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    )
    return made
