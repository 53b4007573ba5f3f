# shellcheck shell=bash
# What every tool begins with. Sets repository and tool (its name, for messages).

set -euo pipefail
tool=$(basename "$0")
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# shellcheck source=tools/lib/say.sh
source "$repository/tools/lib/say.sh"
# shellcheck source=tools/lib/process.sh
source "$repository/tools/lib/process.sh"
# shellcheck source=tools/lib/install.sh
source "$repository/tools/lib/install.sh"
