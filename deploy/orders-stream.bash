# Completion of orders-stream's verbs and options. bash: source this file, or copy it to
# /usr/share/bash-completion/completions/orders-stream. zsh: autoload -U bashcompinit && bashcompinit, then source it.
_orders_stream() {
    # The program tells what may follow. It is asked without its own name, however it was called.
    local program=${COMP_WORDS[0]} line=${COMP_LINE#*[[:space:]]}
    local at=$((COMP_POINT - (${#COMP_LINE} - ${#line}))) answers
    answers=$("$program" "[suggest:$at]" "$line" 2> /dev/null) || return
    mapfile -t COMPREPLY < <(compgen -W "$answers" -- "$2")
}
# Where it has nothing to say, names of files.
complete -o bashdefault -o default -F _orders_stream orders-stream
