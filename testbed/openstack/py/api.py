"""One call of an OpenStack API; see testbed/api.  Only the standard library."""
import json
import os
import sys
import urllib.error
import urllib.request

E = os.environ


def call(method, url, body=None, **extra):
    headers = {'Content-Type': 'application/json', 'Accept': 'application/json', **extra}
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data=data, method=method, headers=headers)
    return urllib.request.urlopen(request, timeout=60)


def log_in():
    domain = {'name': 'Default'}
    answer = call('POST', E['OS_AUTH_URL'] + '/auth/tokens', {'auth': {
        'identity': {'methods': ['password'], 'password': {'user': {
            'name': E['OS_USERNAME'], 'password': E['OS_PASSWORD'], 'domain': domain}}},
        'scope': {'project': {'name': E['OS_PROJECT_NAME'], 'domain': domain}}}})
    endpoints = {service['type']: endpoint['url']
                 for service in json.load(answer)['token']['catalog']
                 for endpoint in service['endpoints'] if endpoint['interface'] == 'public'}
    return answer.headers['X-Subject-Token'], endpoints


args = sys.argv[1:]
method = args.pop(0) if args and args[0].isupper() else 'GET'
if len(args) < 2:
    sys.exit('usage: api [METHOD] SERVICE PATH [JSON]')
try:
    token, endpoints = log_in()
    if args[0] not in endpoints:
        sys.exit('no service %s; there are %s' % (args[0], ' '.join(sorted(endpoints))))
    body = json.loads(args[2]) if len(args) > 2 else None
    headers = {'X-Auth-Token': token}
    if args[0] == 'compute':    # Cinder answers 400 to a version that is not its own
        headers['OpenStack-API-Version'] = 'compute 2.79'
    answer = call(method, endpoints[args[0]] + args[1], body, **headers)
    sys.stdout.write(answer.read().decode())
except urllib.error.HTTPError as e:
    sys.exit('%s %s' % (e.code, e.read().decode(errors='replace')))
except OSError as e:
    sys.exit(str(e))
