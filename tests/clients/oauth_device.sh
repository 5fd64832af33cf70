#!/bin/sh
# A device without a browser, or an agent without a person at hand: nothing but sh and curl (RFC 8628).
#
#     oauth_device.sh GATEWAY_URL PATH
#
# Prints the link and the code for the person, then what each poll said, then what came of the token.
set -eu
gateway=$1 path=$2
grant=urn:ietf:params:oauth:grant-type:device_code

# The value of a member of a flat JSON object.
member() { sed -n "s/.*\"$1\": *\"\{0,1\}\([^\",}]*\).*/\1/p"; }

metadata=$(curl -sf "$gateway/.well-known/oauth-authorization-server")
endpoint() { printf %s "$metadata" | member "$1"; }

client=$(curl -sf "$(endpoint registration_endpoint)" -H 'content-type: application/json' -d "{\"client_name\": \"Shell\",
  \"grant_types\": [\"$grant\", \"refresh_token\"], \"token_endpoint_auth_method\": \"none\"}" | member client_id)
begun=$(curl -sf "$(endpoint device_authorization_endpoint)" -d "client_id=$client" -d scope=read:tickets --data-urlencode "resource=$gateway$path")
code=$(printf %s "$begun" | member device_code)
interval=$(printf %s "$begun" | member interval)
echo "$(printf %s "$begun" | member verification_uri) $(printf %s "$begun" | member user_code)"

while :; do
  said=$(curl -s "$(endpoint token_endpoint)" -d "client_id=$client" -d "grant_type=$grant" -d "device_code=$code")
  error=$(printf %s "$said" | member error)
  [ -n "$error" ] || break
  echo "$error"
  case $error in
    authorization_pending) ;;
    slow_down) interval=$((interval + 5)) ;;
    *) echo "failed: $said"; exit 1 ;;
  esac
  sleep "$interval"
done
token=$(printf %s "$said" | member access_token)

status() { curl -s -o /dev/null -w '%{http_code}' "$@"; }
echo "tickets $(status "$gateway$path/tickets" -H "authorization: Bearer $token")"
status "$(endpoint revocation_endpoint)" -d "client_id=$client" --data-urlencode "token=$token" > /dev/null
echo "revoked $(status "$gateway$path/tickets" -H "authorization: Bearer $token")"
echo done
