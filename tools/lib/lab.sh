# shellcheck shell=bash
# The whole lab, for the tools that use it: state, wires and servers.

# shellcheck source=tools/lib/lab-state.sh
source "$repository/tools/lib/lab-state.sh"
# shellcheck source=tools/lib/lab-network.sh
source "$repository/tools/lib/lab-network.sh"
# shellcheck source=tools/lib/lab-servers.sh
source "$repository/tools/lib/lab-servers.sh"
