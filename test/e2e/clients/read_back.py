"""What Python's side of DICOMweb sees of a gateway: requests as the Python dicomweb-client sends them (its package is not Debian's), over the
same HTTP library, and what comes back read by pydicom, NumPy and GDCM. Prints one JSON object for each file, or what went wrong.

usage: read_back.py URL FOLDER < JSON array of {"file", "study", "series", "sop"}; FOLDER is where what was retrieved is left for other tools
"""

import io
import json
import os
import sys

import numpy
import pydicom
import requests

EXPLICIT = "1.2.840.10008.1.2.1"
BOUNDARY = "0f3cf5c0-70e0-41ef-baef-c6f9f65ec3e1"
#  Bodies over this go out chunked.
CHUNK = 10**6


def parts_of(response):
    """The parts of a multipart answer, found as the client finds them: by the boundary of the header, each part after its empty line."""
    boundary = None
    for parameter in response.headers["content-type"].split(";"):
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "boundary":
            boundary = value.strip('"')
    assert boundary is not None, "no boundary"
    pieces = response.content.split(b"\r\n--" + boundary.encode())
    pieces[0] = pieces[0][len(boundary) + 2 :]
    assert pieces[-1].startswith(b"--"), "the last boundary does not close"
    for piece in pieces[:-1]:
        head, separator, body = piece.partition(b"\r\n\r\n")
        assert separator, "a part without an empty line"
        yield head.decode("ascii"), body


def get_dicom(session, url, syntax=None):
    accept = 'multipart/related; type="application/dicom"'
    if syntax is not None:
        accept += f"; transfer-syntax={syntax}"
    response = session.get(url, headers={"Accept": accept})
    response.raise_for_status()
    return [body for _, body in parts_of(response)]


def search(session, url, **params):
    """Pages until an empty one, as `get_remaining` does."""
    found = []
    while True:
        response = session.get(
            url,
            params={**params, "offset": len(found)},
            headers={"Accept": "application/dicom+json, application/json"},
        )
        response.raise_for_status()
        rows = response.json() if response.content else []
        if not rows:
            return found
        found += rows


def store(session, url, files):
    """STOW; the answer is read only when its type is exactly DICOM JSON, as the client does."""
    body = b""
    for data in files:
        body += b"\r\n--%s\r\nContent-Type: application/dicom\r\n\r\n" % BOUNDARY.encode() + data
    body += b"\r\n--%s--" % BOUNDARY.encode()
    chunked = len(body) > CHUNK
    response = session.post(
        url,
        data=(body[at : at + CHUNK] for at in range(0, len(body), CHUNK)) if chunked else body,
        headers={"Content-Type": f'multipart/related; type="application/dicom"; boundary="{BOUNDARY}"'},
    )
    response.raise_for_status()
    assert response.headers["content-type"] == "application/dicom+json", response.headers["content-type"]
    return response.json()


#  What says how pixels are encoded, not what they are; the length of a group is none of a data set that was written anew.
ENCODING = {"PixelData", "PhotometricInterpretation", "PlanarConfiguration", "ExtendedOffsetTable", "ExtendedOffsetTableLengths"}


def described(data_set):
    return {
        element.tag: (element.VR if element.VR != "UN" else None, element.value)
        for element in data_set
        if element.keyword not in ENCODING and element.tag.element != 0
    }


def differing(before, after):
    """Tags whose values are not what they were; a VR may only become known."""
    a, b = described(before), described(after)
    tags = []
    for tag in sorted(set(a) | set(b)):
        if tag not in a or tag not in b:
            tags.append(str(tag))
            continue
        (vr, value), (other_vr, other) = a[tag], b[tag]
        if vr is None or other_vr is None:
            continue
        if vr != other_vr or (value != other and not both_nan(value, other)):
            tags.append(str(tag))
    return tags


def both_nan(a, b):
    return isinstance(a, float) and isinstance(b, float) and a != a and b != b


def pixels(data_set):
    """As an array of (frames,) rows, columns (, samples), whatever the planar configuration; None where there are none."""
    return data_set.pixel_array if "PixelData" in data_set else None


def checked(session, root, folder, one):
    try:
        return check(session, root, folder, one)
    except Exception as error:  # one that cannot be read says so, and the others are still checked
        return {"sop": one["sop"], "seen": {"error": repr(error)}, "name": "", "nameFound": ""}


def check(session, root, folder, one):
    url = f"{root}/studies/{one['study']}/series/{one['series']}/instances/{one['sop']}"
    with open(one["file"], "rb") as file:
        original = file.read()
    before = pydicom.dcmread(io.BytesIO(original), force=True)
    (stored,) = get_dicom(session, url, "*")
    (plain,) = get_dicom(session, url)
    after = pydicom.dcmread(io.BytesIO(plain))
    name = os.path.join(folder, one["sop"])
    for suffix, data in ((".stored.dcm", stored), (".plain.dcm", plain)):
        with open(name + suffix, "wb") as file:
            file.write(data)
    expected, seen = pixels(before), pixels(after)
    same = expected is None if seen is None else numpy.array_equal(expected, seen)
    (row,) = search(session, f"{root}/instances", SOPInstanceUID=one["sop"], includefield="00100010")
    groups = row.get("00100010", {}).get("Value", [{}])[0]
    frame = None
    if seen is not None:
        response = session.get(f"{url}/frames/1", headers={"Accept": 'multipart/related; type="application/octet-stream"'})
        response.raise_for_status()
        ((head, frame),) = parts_of(response)
        assert f"transfer-syntax={EXPLICIT}" in head, head
    sops = (one["sop"], str(before.file_meta.MediaStorageSOPInstanceUID))
    return {
        "sop": one["sop"],
        "seen": {
            "storedAsSent": stored == original,
            "syntax": str(after.file_meta.TransferSyntaxUID),
            "meta": str(after.file_meta.MediaStorageSOPInstanceUID) in sops,
            "differing": differing(before, after),
            "pixels": bool(same),
            "frame": frame is None or bytes(after.PixelData).startswith(frame) or int(after.BitsAllocated) == 1,
        },
        "name": str(after.get("PatientName", "")),
        "nameFound": "=".join(groups.get(key, "") for key in ("Alphabetic", "Ideographic", "Phonetic")).rstrip("="),
    }


def main():
    root, folder = sys.argv[1] + "/dicomweb", sys.argv[2]
    wanted = json.load(sys.stdin)
    with requests.Session() as session:
        files = []
        for one in wanted:
            with open(one["file"], "rb") as file:
                files.append(file.read())
        #  All of it again, chunked: every one is there already, and that is success.
        answer = store(session, f"{root}/studies", files)
        again = len(answer["00081199"]["Value"])
        single = store(session, f"{root}/studies", [min(files, key=len)])
        for item in answer["00081199"]["Value"]:
            assert "/series/" in item["00081190"]["Value"][0]
        #  MONAI Label: a series by its UID alone, then all of it, with no word of a transfer syntax.
        first = wanted[0]
        (row,) = search(session, f"{root}/series", SeriesInstanceUID=first["series"])
        found = {key: row[tag]["Value"][0] for key, tag in (("study", "0020000D"), ("series", "0020000E"))}
        series = get_dicom(session, f"{root}/studies/{found['study']}/series/{found['series']}")
        report = {
            "again": again,
            "small": len(single["00081199"]["Value"]),
            "found": found,
            "series": [str(pydicom.dcmread(io.BytesIO(data)).file_meta.TransferSyntaxUID) for data in series],
            "instances": len(search(session, f"{root}/instances", limit=7)),
            "modality": len(search(session, f"{root}/series", Modality="CT")),
            "files": [checked(session, root, folder, one) for one in wanted],
        }
    json.dump(report, sys.stdout)


main()
