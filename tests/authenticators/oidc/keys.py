"""Keys of a provider and of a stranger, and tokens signed with them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from daas_hub.authenticators.oidc.id_tokens import ALGORITHMS

RSA = rsa.generate_private_key(65537, 2048)


EC = ec.generate_private_key(ec.SECP256R1())


STRANGER = rsa.generate_private_key(65537, 2048)


STRANGER_EC = ec.generate_private_key(ec.SECP256R1())


ED = ed25519.Ed25519PrivateKey.generate()


RSA_PEM = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def b64(data: bytes | str) -> str:
    return base64.urlsafe_b64encode(data.encode() if isinstance(data, str) else data).rstrip(b"=").decode()


def jwk(key: Any, algorithm: type[Any], **more: str) -> dict[str, Any]:
    return json.loads(algorithm.to_jwk(key.public_key())) | more


JWK_RSA = jwk(RSA, jwt.algorithms.RSAAlgorithm, kid="rsa-1", use="sig", alg="RS256")


JWK_EC = jwk(EC, jwt.algorithms.ECAlgorithm, kid="ec-1", use="sig", alg="ES256")


JWK_ED = jwk(ED, jwt.algorithms.OKPAlgorithm, kid="ed-1", use="sig", alg="EdDSA")


def signed(claims: Any, *, alg: str = "RS256", key: Any = RSA, **header: Any) -> str:
    """Sign anything as anything; PyJWT's own `encode` would refuse most of what is needed here."""
    head = {"alg": alg, "typ": "JWT", "kid": "rsa-1"} | header
    head = {name: value for name, value in head.items() if value is not ...}
    payload = claims if isinstance(claims, str) else json.dumps(claims)
    return sign_raw(b64(json.dumps(head)), b64(payload), alg=alg, key=key)


def sign_raw(head: str, payload: str, *, alg: str = "RS256", key: Any = RSA) -> str:
    algorithms = jwt.algorithms.get_default_algorithms()
    known = algorithms[alg if alg in ALGORITHMS else "RS256"]
    return f"{head}.{payload}.{b64(known.sign(f'{head}.{payload}'.encode(), key))}"


def hmac_signed(claims: Any, secret: bytes, **header: Any) -> str:
    head = b64(json.dumps({"alg": "HS256", "kid": "rsa-1"} | header))
    signing = f"{head}.{b64(json.dumps(claims))}"
    return f"{signing}.{b64(hmac.new(secret, signing.encode(), hashlib.sha256).digest())}"
