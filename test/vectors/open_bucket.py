#!/usr/bin/env python3
"""Reads a Filmroom replica back to DICOM files, with the keyring and nothing of Filmroom:
    open_bucket.py BUCKET KEYRING OUT
BUCKET is a copy of a replica as a directory. Needs Python 3.8 and the openssl command (for AES and SM4; the
standard library has neither; keys show in the process list while it runs). Written from docs/format.md alone; slow and plain.
"""
import base64, functools, glob, gzip, hashlib, hmac, json, operator, os, re, struct, subprocess, sys

CHUNK, SEGMENT, TAG = 8388608, 65536, 16
KEY, HASH = {1: 32, 2: 48}, {1: "sha256", 2: "sm3"}  # by cipher suite: bytes of a message key; hash of keys and of what is bound
NAME_M = re.compile(r"^([0-9a-f-]{36})/([1-9][0-9]*)-([0-9a-f]{8})$")

class Bad(Exception): pass

def need(condition, message):
    if not condition:
        raise Bad(message)

def sha256(data):
    return hashlib.sha256(data).digest()

def load(*path):
    with open(os.path.join(*path), "rb") as file:
        return file.read()

def hkdf(ikm, salt, info, length, suite=1):  # RFC 5869
    prk = hmac.new(salt or bytes(32), ikm, HASH[suite]).digest()
    out, block = b"", b""
    for n in range(1, 1 - -length // 32):
        block = hmac.new(prk, block + info + bytes([n]), HASH[suite]).digest()
        out += block
    return out[:length]

def derive(suite, ikm, salt, info):  # the message key and what follows it
    out = hkdf(ikm, salt, info, KEY[suite] + 32, suite)
    return out[:KEY[suite]], out[KEY[suite]:]

def cipher(name, key, data, iv=None):
    command = ["openssl", "enc", "-" + name, "-K", key.hex(), "-nopad"] + (["-iv", iv.hex()] if iv else [])
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout

def ghash_tables(h):
    """For each of 16 byte positions, the product of every byte there with h in GF(2^128)."""
    powers, v = [], int.from_bytes(h, "big")
    for _ in range(128):
        powers.append(v)
        v = (v >> 1) ^ (0xE1 << 120 if v & 1 else 0)
    tables = [[0] * 256 for _ in range(16)]
    for position, table in enumerate(tables):
        for byte in range(1, 256):
            low = byte & -byte
            table[byte] = table[byte ^ low] ^ powers[8 * position + 8 - low.bit_length()]
    return tables

def gcm_open(key, nonce, aad, sealed):
    """SP 800-38D. The plaintext, after its tag was verified."""
    need(len(sealed) >= TAG, "shorter than a tag")
    text, tag = sealed[:-TAG], sealed[-TAG:]
    blocks = cipher("aes-256-ecb", key, bytes(16) + nonce + b"\0\0\0\1")
    tables, y = ghash_tables(blocks[:16]), 0
    padded = aad + bytes(-len(aad) % 16) + text + bytes(-len(text) % 16) + struct.pack(">QQ", 8 * len(aad), 8 * len(text))
    for at in range(0, len(padded), 16):
        x = (y ^ int.from_bytes(padded[at:at + 16], "big")).to_bytes(16, "big")
        y = functools.reduce(operator.xor, (table[byte] for table, byte in zip(tables, x)))
    expected = bytes(a ^ b for a, b in zip(y.to_bytes(16, "big"), blocks[16:]))
    need(hmac.compare_digest(expected, tag), "a tag does not match")
    return cipher("aes-256-ctr", key, text, nonce + b"\0\0\0\2") if text else b""

def unseal(suite, key, nonce, aad, sealed):
    if suite == 1:
        return gcm_open(key, nonce, aad, sealed)
    need(len(sealed) >= TAG, "shorter than a tag")
    text, tag = sealed[:-TAG], sealed[-TAG:]
    mac = hmac.new(key[16:], nonce + struct.pack(">I", len(aad)) + aad + text, "sm3").digest()[:TAG]
    need(hmac.compare_digest(mac, tag), "a tag does not match")
    return cipher("sm4-ctr", key[:16], text, nonce + bytes(4)) if text else b""

def read_keyring(path):
    ring = json.loads(load(path))
    need(ring["version"] in (1, 2), "a keyring of another version")
    keys = {}
    for entry in ring["keys"]:
        if "secret" not in entry:  # a token holds it
            continue
        secret = base64.b64decode(entry["secret"], validate=True)
        digits = hkdf(secret, b"", b"kek-id1", 8) if entry["id"][0] == "k" else hmac.new(secret, b"kek-id1", "sha256").digest()[:8]
        need(entry["id"][1:] == digits.hex() and entry["id"][0] in "kh", "a mistyped secret: " + entry["id"])
        keys[entry["id"]] = secret
    return ring["archiveId"], keys

def open_sealed(data, keys, magic, info):
    """A manifest or a tombstone: its id, DEK id, DEK and body."""
    need(len(data) > 304 and data[:8] == magic, "an object of another kind")
    need(sha256(data[:-32]) == data[-32:], "a damaged manifest or tombstone")
    version, suite, zero = struct.unpack(">HHI", data[8:16])
    need(version == 1 and suite in KEY and zero == 0, "an object of a later version")
    pack, kek_id, dek_id = data[16:32], data[32:64].rstrip(b"\0").decode("ascii"), data[96:112]
    need(struct.unpack(">Q", data[192:200])[0] == len(data) - 304, "an object of another length")
    need(kek_id in keys, "the keyring lacks key " + kek_id)
    ikm = keys[kek_id] if kek_id[0] == "k" else hmac.new(keys[kek_id], b"wrap-input1" + data[64:96], "sha256").digest()
    key, _ = derive(suite, ikm, data[64:96], b"wrap1" + pack + dek_id)
    dek = unseal(suite, key, bytes(12), b"", data[112:160])
    clear_hash = hashlib.new(HASH[suite], data[:224]).digest()
    key, commitment = derive(suite, dek, data[160:192], info + clear_hash)
    need(commitment == data[224:256], "a commitment does not match")
    return suite, pack, dek_id, dek, unseal(suite, key, bytes(12), clear_hash, data[256:-32])

def open_manifest(data, keys):
    suite, pack, dek_id, dek, body = open_sealed(data, keys, b"FRMANIF\0", b"manifest1")
    length = struct.unpack(">I", body[:4])[0]
    table = json.loads(gzip.decompress(body[4:4 + length]))
    need(table["version"] == 1 and table["pack"].replace("-", "") == pack.hex(), "a body of another version or pack")
    at, rows, chunks = 4 + length, [], []
    columns = table["members"]
    for i, sop in enumerate(columns["sop"]):
        study, series = table["series"][columns["series"][i]]
        rows.append({"study": study, "series": series, "sop": sop, "seq": columns["seq"][i], "start": columns["start"][i],
                     "length": columns["length"][i], "sha256": body[at:at + 32], "manifest": table})
        at += 32
    for k in range(-(-table["bytes"] // CHUNK)):
        size = min(CHUNK, table["bytes"] - k * CHUNK)
        chunks.append({"bytes": size, "sha256": body[at:at + 32], "salt": body[at + 32:at + 64], "commitment": body[at + 64:at + 96]})
        at += 96
    bundles = {}
    for series, size in table["bundles"]:
        bundles[series] = gzip.decompress(body[at:at + size])
        at += size
    need(at == len(body), "a body of another length")
    for row, start, size in zip(rows, columns["metaStart"], columns["metaLength"]):
        need(not size or json.loads(bundles[row["series"]][start:start + size]), "metadata that are none")
    table.update(suite=suite, rows=rows, chunks=chunks, dek=dek, dek_id=dek_id, pack_bytes=pack)
    return table

def read_range(bucket, table, start, end):
    """Plaintext [start, end) of a pack, from the segments that hold it."""
    out = b""
    for k in range(start // CHUNK, -(-end // CHUNK)):
        chunk = table["chunks"][k]
        name = chunk["sha256"].hex()
        sealed = load(bucket, "c", name[:2], name)
        n = chunk["bytes"]
        count = -(-n // SEGMENT)
        header = struct.pack(">8sHHIIIQ", b"FRCHUNK\0", 1, table["suite"], SEGMENT, k, 0, n)
        header += table["pack_bytes"] + table["dek_id"] + chunk["salt"] + bytes(32)
        header_hash = hashlib.new(HASH[table["suite"]], header).digest()
        key, commitment = derive(table["suite"], table["dek"], chunk["salt"], b"chunk1" + header_hash)
        need(commitment == chunk["commitment"], "a wrong key for chunk " + name)
        need(sealed[:160] == header + commitment and len(sealed) == 160 + n + TAG * count, "a damaged chunk " + name)
        low, high = max(0, start - k * CHUNK), min(n, end - k * CHUNK)
        for i in range(low // SEGMENT, -(-high // SEGMENT)):
            at = 160 + (SEGMENT + TAG) * i
            nonce = bytes(7) + struct.pack(">IB", i, i == count - 1)
            plain = unseal(table["suite"], key, nonce, header_hash, sealed[at:at + SEGMENT + TAG])
            out += plain[max(0, low - i * SEGMENT):high - i * SEGMENT]
    return out

def read_deletes(bucket, archive, keys):
    """Of (SOP Instance UID, SHA-256) the seq of the last delete."""
    deleted = {}
    for path in glob.glob(os.path.join(bucket, "t", "*")):
        data = load(path)
        need(path.endswith("-" + sha256(data).hex()), "not what its name says: " + path)
        says = json.loads(gzip.decompress(open_sealed(data, keys, b"FRTOMBS\0", b"tombstone1")[4]))
        need(says["version"] == 1 and says["archive"] == archive, "a tombstone of another version or archive")
        for key in map(tuple, says["entries"]):
            deleted[key] = max(deleted.get(key, 0), says["seq"])
    return deleted

def main(bucket, keyring, target):
    archive, keys = read_keyring(keyring)
    deleted = read_deletes(bucket, archive, keys)
    newest = {}
    for path in glob.glob(os.path.join(bucket, "m", "*", "*")):
        match = NAME_M.match("/".join(path.split(os.sep)[-2:]))
        if match:
            data = load(path)
            need(sha256(data).hex()[:8] == match.group(3), "not what its name says: " + path)
            table = open_manifest(data, keys)
            need(table["archive"] == archive, "of another archive: " + path)
            if table["pack"] not in newest or newest[table["pack"]]["generation"] < table["generation"]:
                newest[table["pack"]] = table
    dead = {pack for table in newest.values() for pack in table["supersedes"]}
    found = {}
    for pack, table in newest.items():
        for row in table["rows"] if pack not in dead else []:
            if row["seq"] < deleted.get((row["sop"], row["sha256"].hex()), 0):
                continue
            if row["sop"] not in found or row["seq"] < found[row["sop"]]["seq"]:
                found[row["sop"]] = row
    for row in sorted(found.values(), key=lambda row: row["seq"]):
        data = read_range(bucket, row["manifest"], row["start"], row["start"] + row["length"])
        need(sha256(data) == row["sha256"], "an instance that does not match its SHA-256")
        need(all(re.match(r"^[0-9.]{1,64}$", row[key]) and ".." not in row[key] for key in ("study", "series", "sop")), "a UID that is none")
        os.makedirs(os.path.join(target, row["study"], row["series"]), exist_ok=True)
        with open(os.path.join(target, row["study"], row["series"], row["sop"] + ".dcm"), "wb") as file:
            file.write(data)
        print(row["sha256"].hex(), row["sop"])

if __name__ == "__main__":
    try:
        main(*sys.argv[1:4])
    except Bad as error:
        sys.exit("open_bucket: " + str(error))
