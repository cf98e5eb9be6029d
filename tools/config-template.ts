// The configuration that `filmroom init` writes: every key, with what it is for, at its default.

export const CONFIG_TEMPLATE = `# Filmroom. Relative paths are relative to this file. Check it with: npx filmroom config check FILE
# Any value may be \${NAME} (from the environment); accessKeyId, secretAccessKey, token and pin may also be file:PATH.

http:
  host: 127.0.0.1            # anything but loopback needs auth.mode: token
  port: 8080
  # publicUrl: https://pacs.example/film        # what a reverse proxy shows; goes into RetrieveURLs
  # tls: { cert: ./tls.crt, key: ./tls.key }
  # origins: [ "https://viewer.example" ]       # web pages that may use DICOMweb; loopback always may

auth:
  mode: none                 # none (loopback only) or token
  # mode: token
  # tokens:
  #   - { name: viewer, token: "\${FILMROOM_VIEWER_TOKEN}" }
  #   - { name: modality, token: "file:./modality.token" }

index:
  url: "sqlite:./data/index/filmroom.db"        # best on another disk than the volumes

hot:
  volumes:                   # one directory on one file system each
    - { name: a, path: ./data/hot }
  settle: 60s                # a study that was quiet for so long is filed into packs
  highWater: 85%             # above this, protected packs are evicted ...
  lowWater: 75%              # ... down to this

cold:
  keyring: ./data/keyring.json                  # keep a copy elsewhere: without it nothing in the replicas opens
  # pkcs11: { module: /usr/lib/softhsm/libsofthsm2.so, token: LABEL, pin: "file:./pin" }   # keys on a token (an HSM)
  # writeQuorum: 2           # copies that make a pack protected; default all of 2, 2 of 3
  replicas:                  # buckets or directories in different failure domains
    - { name: r1, url: "file:./data/replica-1" }
    - { name: r2, url: "file:./data/replica-2" }
    # - name: r3
    #   url: "s3://bucket/prefix"
    #   endpoint: "https://s3.example"           # leave out for AWS
    #   region: us-east-1
    #   accessKeyId: "\${R3_ACCESS_KEY_ID}"
    #   secretAccessKey: "\${R3_SECRET_ACCESS_KEY}"
    #   forcePathStyle: true
    #   provider: ceph                           # aws, ceph, minio or generic: docs/providers.md

tiering:
  protectAfter: 2m           # a pack is copied once it is this old
  protect: write-back        # STOW waits for the volume; the replicas get their copies right after
  recall: on-open            # or never
  evict: { minAge: 30d }

workers:
  threads: auto
`;
