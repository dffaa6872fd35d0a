<?php
// Writes the tables of this folder: what PHP has, with the extensions that are loaded. The
// committed ones are of PHP 8.2 with Debian's packages php8.2-bcmath, -cli, -curl, -gd, -gmp, -intl,
// -mbstring, -mysql, -sqlite3, -xml, -zip. Names of functions and classes are in lower case: case
// doesn't count there.
//
//     for table in functions classes constants references; do php tables.php $table; done

function head(): string
{
    return 'PHP ' . PHP_MAJOR_VERSION . '.' . PHP_MINOR_VERSION . ', by tables.php';
}

function write(string $table, array $names): void
{
    sort($names, SORT_STRING);
    file_put_contents(__DIR__ . "/$table.txt", '# ' . head() . "\n" . implode("\n", $names) . "\n");
}

/** The functions that assign to an argument given by reference, by its place among them. */
function references(): array
{
    $byPlace = [];
    foreach (get_defined_functions()['internal'] as $name) {
        foreach ((new ReflectionFunction($name))->getParameters() as $place => $parameter) {
            if ($parameter->isPassedByReference()) {
                $byPlace[$place][] = $name;
            }
        }
    }
    ksort($byPlace);
    return $byPlace;
}

/** A query: a variable at such a place is defined by the call. */
function query(): string
{
    $query = '; ' . head() . ": these functions define what they are given by reference.\n";
    foreach (references() as $place => $names) {
        sort($names);
        $before = str_repeat('. (_) ', $place);
        $listed = wordwrap('"' . implode('" "', $names) . '"', 96, "\n  ");
        $query .= <<<QUERY

            ((function_call_expression
              function: (name) @_function
              arguments: (arguments $before.
                (argument (variable_name) @define.value)))
              (#any-of? @_function
              $listed))

            QUERY;
    }
    return $query;
}

match ($argv[1]) {
    'functions' => write('functions', get_defined_functions()['internal']),
    'classes' => write('classes', array_map('strtolower', array_merge(
        get_declared_classes(), get_declared_interfaces(), get_declared_traits()))),
    'constants' => write('constants', array_keys(array_merge(
        ...array_values(array_diff_key(get_defined_constants(true), ['user' => 0]))))),
    'references' => file_put_contents(__DIR__ . '/references.scm', query()),
};
