#!/usr/bin/env python3
"""Reads a Filmroom replica back to DICOM files, with the keyring and nothing of Filmroom:
    open_bucket.py BUCKET KEYRING OUT
BUCKET is a copy of a replica as a directory. Needs Python 3.8 and the openssl command (for AES itself; the
standard library has none; keys show in the process list while it runs). Written from docs/format.md alone; slow and plain.
"""
import base64, gzip, hashlib, hmac, json, os, re, struct, subprocess, sys

CHUNK, SEGMENT, TAG = 8388608, 65536, 16
NAME_M = re.compile(r"^([0-9a-f-]{36})/([1-9][0-9]*)-([0-9a-f]{8})$")

class Bad(Exception):
    pass

def need(condition, message):
    if not condition:
        raise Bad(message)

def sha256(data):
    return hashlib.sha256(data).digest()

def hkdf(ikm, salt, info, length):  # RFC 5869
    prk = hmac.new(salt or bytes(32), ikm, hashlib.sha256).digest()
    out, block, n = b"", b"", 0
    while len(out) < length:
        n += 1
        block = hmac.new(prk, block + info + bytes([n]), hashlib.sha256).digest()
        out += block
    return out[:length]

def aes(mode, key, data, iv=None):
    command = ["openssl", "enc", "-aes-256-" + mode, "-K", key.hex(), "-nopad"]
    if iv is not None:
        command += ["-iv", iv.hex()]
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout

def ghash_tables(h):
    """For each of 16 byte positions, the product of every byte there with h in GF(2^128)."""
    powers, v = [], int.from_bytes(h, "big")
    for _ in range(128):
        powers.append(v)
        v = (v >> 1) ^ (0xE1 << 120 if v & 1 else 0)
    tables = []
    for position in range(16):
        table = [0] * 256
        for bit in range(8):
            table[0x80 >> bit] = powers[8 * position + bit]
        for byte in range(256):
            low = byte & -byte
            if byte != low:
                table[byte] = table[byte ^ low] ^ table[low]
        tables.append(table)
    return tables

def gcm_open(key, nonce, aad, sealed):
    """SP 800-38D. The plaintext, after its tag was verified."""
    need(len(sealed) >= TAG, "shorter than a tag")
    text, tag = sealed[:-TAG], sealed[-TAG:]
    j0 = nonce + b"\0\0\0\1"
    blocks = aes("ecb", key, bytes(16) + j0)
    tables, y = ghash_tables(blocks[:16]), 0
    padded = aad + bytes(-len(aad) % 16) + text + bytes(-len(text) % 16)
    padded += struct.pack(">QQ", 8 * len(aad), 8 * len(text))
    for at in range(0, len(padded), 16):
        x = (y ^ int.from_bytes(padded[at:at + 16], "big")).to_bytes(16, "big")
        y = 0
        for table, byte in zip(tables, x):
            y ^= table[byte]
    expected = bytes(a ^ b for a, b in zip(y.to_bytes(16, "big"), blocks[16:]))
    need(hmac.compare_digest(expected, tag), "a tag does not match")
    return aes("ctr", key, text, nonce + b"\0\0\0\2") if text else b""

def read_keyring(path):
    with open(path, encoding="utf-8") as file:
        ring = json.load(file)
    need(ring["version"] == 1, "a keyring of another version")
    keys = {}
    for entry in ring["keys"]:
        secret = base64.b64decode(entry["secret"], validate=True)
        need("k" + hkdf(secret, b"", b"kek-id1", 8).hex() == entry["id"], "a mistyped secret: " + entry["id"])
        keys[entry["id"]] = secret
    return ring["archiveId"], keys

def open_sealed(data, keys, magic, info):
    """A manifest or a tombstone: its id, DEK id, DEK and body."""
    need(len(data) > 304 and data[:8] == magic, "an object of another kind")
    need(sha256(data[:-32]) == data[-32:], "a damaged manifest or tombstone")
    need(struct.unpack(">HHI", data[8:16]) == (1, 1, 0), "an object of a later version")
    pack, kek_id, dek_id = data[16:32], data[32:64].rstrip(b"\0").decode("ascii"), data[96:112]
    need(struct.unpack(">Q", data[192:200])[0] == len(data) - 304, "an object of another length")
    need(kek_id in keys, "the keyring lacks key " + kek_id)
    dek = gcm_open(hkdf(keys[kek_id], data[64:96], b"wrap1" + pack + dek_id, 32), bytes(12), b"", data[112:160])
    clear_hash = sha256(data[:224])
    derived = hkdf(dek, data[160:192], info + clear_hash, 64)
    need(derived[32:] == data[224:256], "a commitment does not match")
    return pack, dek_id, dek, gcm_open(derived[:32], bytes(12), clear_hash, data[256:-32])

def open_manifest(data, keys):
    pack, dek_id, dek, body = open_sealed(data, keys, b"FRMANIF\0", b"manifest1")
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
    table.update(rows=rows, chunks=chunks, dek=dek, dek_id=dek_id, pack_bytes=pack)
    return table

def read_range(bucket, table, start, end):
    """Plaintext [start, end) of a pack, from the segments that hold it."""
    out = b""
    for k in range(start // CHUNK, -(-end // CHUNK)):
        chunk = table["chunks"][k]
        name = chunk["sha256"].hex()
        with open(os.path.join(bucket, "c", name[:2], name), "rb") as file:
            sealed = file.read()
        n = chunk["bytes"]
        count = -(-n // SEGMENT)
        header = struct.pack(">8sHHIIIQ", b"FRCHUNK\0", 1, 1, SEGMENT, k, 0, n)
        header += table["pack_bytes"] + table["dek_id"] + chunk["salt"] + bytes(32)
        derived = hkdf(table["dek"], chunk["salt"], b"chunk1" + sha256(header), 64)
        need(derived[32:] == chunk["commitment"], "a wrong key for chunk " + name)
        need(sealed[:160] == header + derived[32:] and len(sealed) == 160 + n + TAG * count, "a damaged chunk " + name)
        low, high = max(0, start - k * CHUNK), min(n, end - k * CHUNK)
        for i in range(low // SEGMENT, -(-high // SEGMENT)):
            at = 160 + (SEGMENT + TAG) * i
            nonce = bytes(7) + struct.pack(">IB", i, 1 if i == count - 1 else 0)
            plain = gcm_open(derived[:32], nonce, sha256(header), sealed[at:at + SEGMENT + TAG])
            out += plain[max(0, low - i * SEGMENT):high - i * SEGMENT]
    return out

def read_deletes(bucket, archive, keys):
    """Of (SOP Instance UID, SHA-256) the seq of the last delete."""
    deleted, folder = {}, os.path.join(bucket, "t")
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        with open(os.path.join(folder, name), "rb") as handle:
            data = handle.read()
        need(name.endswith("-" + sha256(data).hex()), "not what its name says: t/" + name)
        says = json.loads(gzip.decompress(open_sealed(data, keys, b"FRTOMBS\0", b"tombstone1")[3]))
        need(says["version"] == 1 and says["archive"] == archive, "a tombstone of another version or archive")
        for key in map(tuple, says["entries"]):
            deleted[key] = max(deleted.get(key, 0), says["seq"])
    return deleted

def main(bucket, keyring, target):
    archive, keys = read_keyring(keyring)
    deleted = read_deletes(bucket, archive, keys)
    newest = {}
    for folder, _, files in os.walk(os.path.join(bucket, "m")):
        for file in files:
            path = os.path.join(folder, file)
            match = NAME_M.match(os.path.relpath(path, os.path.join(bucket, "m")).replace(os.sep, "/"))
            if match:
                with open(path, "rb") as handle:
                    data = handle.read()
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
        folder = os.path.join(target, row["study"], row["series"])
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, row["sop"] + ".dcm"), "wb") as file:
            file.write(data)
        print(row["sha256"].hex(), row["sop"])

if __name__ == "__main__":
    try:
        main(*sys.argv[1:4])
    except Bad as error:
        sys.exit("open_bucket: " + str(error))
