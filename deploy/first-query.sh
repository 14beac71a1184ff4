#!/bin/sh
# Waits until a deployment is warm, then asks it once: first-query.sh URL [PICTURE]
#   HOST=name   sends another Host header (an ingress without DNS)
#   KEY=key     sends an API key (SHAZAM_API_KEYS)
set -eu
url=${1:?usage: first-query.sh URL [PICTURE]}
url=${url%/}
picture=${2:-}

ask() {
    curl --silent --show-error ${HOST:+-H "Host: $HOST"} ${KEY:+-H "X-API-Key: $KEY"} "$@"
}

began=$(date +%s)
# Each try has a short limit of its own: before the service listens, a connection just hangs.
until ask --fail --max-time 2 --output /dev/null "$url/readyz" 2>/dev/null; do
    if [ $(($(date +%s) - began)) -ge "${WAIT_S:-180}" ]; then
        echo "$url/readyz was not ready within ${WAIT_S:-180} s. See the platform's log." >&2
        exit 1
    fi
    sleep 0.5
done
echo "ready after $(($(date +%s) - began)) s" >&2

if [ -n "$picture" ]; then
    ask --fail-with-body --max-time 60 -F "file=@$picture" "$url/api/search-by-image?k=3"
else
    ask --fail-with-body --max-time 60 --get --data-urlencode "query=a red circle on black" \
        --data k=3 "$url/api/search-by-text"
fi
echo
