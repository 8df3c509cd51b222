# Stages of a job that are not repeated. Source this with `stages` set to the folder that keeps what each was made from.
number=0

# stage NAME READS WRITES KEY COMMAND...: run COMMAND unless it was finished for the same KEY and WRITES exists
stage() {
    local name=$1 reads=$2 writes=$3 key=$4
    shift 4
    number=$((number + 1))
    printf '\n== %d %s: reads %s, writes %s\n' "$number" "$name" "$reads" "$writes"
    if [ -e "$writes" ] && [ "$(cat "$stages/$name" 2>/dev/null)" = "$key $*" ]; then
        echo "already finished"
        return
    fi
    mkdir -p "$stages" || { echo "error: $stages: cannot be written; set output_path_train to another folder" >&2; exit 2; }
    rm -f "$stages/$name"
    local start=$SECONDS
    "$@"
    printf '%s' "$key $*" >"$stages/$name"
    echo "-- $name took $((SECONDS - start)) s"
}

# content FILE...: one line that changes when a file does
content() { cat -- "$@" | cksum; }

# files FOLDER: one line that changes when a file in it does; one that replaces another differs in size or time
files() { (cd "$1" && find -L . -type f -printf '%p %s %T@\n' | LC_ALL=C sort | cksum); }

# check COMMAND...: status 1 means that something was found; the findings are printed, and the job continues
check() { "$@" || [ $? -eq 1 ]; }

# keep FILE COMMAND...: print what COMMAND prints, and keep it in FILE if it succeeds
keep() {
    local file=$1
    shift
    "$@" | tee "$file.partial" && mv "$file.partial" "$file"
}
