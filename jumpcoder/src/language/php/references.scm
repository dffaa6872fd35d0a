; PHP 8.2, by tables.php: these functions define what they are given by reference.

((function_call_expression
  function: (name) @_function
  arguments: (arguments .
    (argument (variable_name) @define.value)))
  (#any-of? @_function
  "array_multisort" "array_pop" "array_push" "array_shift" "array_splice" "array_unshift"
  "array_walk" "array_walk_recursive" "arsort" "asort" "end" "extract" "headers_sent" "krsort"
  "ksort" "mysqli_poll" "natcasesort" "natsort" "next" "pcntl_wait" "prev" "reset" "rsort"
  "settype" "shuffle" "socket_select" "sodium_add" "sodium_crypto_generichash_final"
  "sodium_crypto_generichash_update" "sodium_crypto_secretstream_xchacha20poly1305_pull"
  "sodium_crypto_secretstream_xchacha20poly1305_push"
  "sodium_crypto_secretstream_xchacha20poly1305_rekey" "sodium_increment" "sodium_memzero" "sort"
  "stream_select" "uasort" "uksort" "usort"))

((function_call_expression
  function: (name) @_function
  arguments: (arguments . (_) .
    (argument (variable_name) @define.value)))
  (#any-of? @_function
  "array_multisort" "collator_asort" "collator_sort" "collator_sort_with_sort_keys"
  "curl_multi_exec" "curl_multi_info_read" "dns_get_mx" "exec" "exif_thumbnail" "getimagesize"
  "getimagesizefromstring" "getmxrr" "headers_sent" "intltz_get_canonical_id" "mb_parse_str"
  "mysqli_poll" "mysqli_stmt_bind_result" "openssl_cms_read" "openssl_csr_export"
  "openssl_csr_new" "openssl_open" "openssl_pkcs12_export" "openssl_pkcs12_read"
  "openssl_pkcs7_read" "openssl_pkey_export" "openssl_private_decrypt" "openssl_private_encrypt"
  "openssl_public_decrypt" "openssl_public_encrypt" "openssl_random_pseudo_bytes" "openssl_seal"
  "openssl_sign" "openssl_x509_export" "parse_str" "passthru" "pcntl_sigtimedwait"
  "pcntl_sigwaitinfo" "pcntl_waitpid" "socket_getpeername" "socket_getsockname" "socket_recv"
  "socket_recvfrom" "socket_recvmsg" "socket_select" "stream_select" "stream_socket_client"
  "stream_socket_server" "system"))

((function_call_expression
  function: (name) @_function
  arguments: (arguments . (_) . (_) .
    (argument (variable_name) @define.value)))
  (#any-of? @_function
  "datefmt_localtime" "datefmt_parse" "dns_get_mx" "dns_get_record" "exec" "exif_thumbnail"
  "flock" "fscanf" "fsockopen" "ftp_alloc" "getmxrr" "getopt" "is_callable" "mb_convert_variables"
  "mb_ereg" "mb_eregi" "msg_receive" "mysqli_poll" "mysqli_stmt_bind_param"
  "numfmt_parse_currency" "openssl_seal" "pcntl_sigprocmask" "pcntl_wait" "pfsockopen"
  "preg_match" "preg_match_all" "proc_open" "similar_text" "socket_getpeername"
  "socket_getsockname" "socket_select" "sscanf" "stream_select" "stream_socket_accept"
  "stream_socket_client" "stream_socket_server" "xml_parse_into_struct"))

((function_call_expression
  function: (name) @_function
  arguments: (arguments . (_) . (_) . (_) .
    (argument (variable_name) @define.value)))
  (#any-of? @_function
  "dns_get_record" "exif_thumbnail" "fsockopen" "idn_to_ascii" "idn_to_utf8" "intltz_get_offset"
  "mb_convert_variables" "numfmt_parse" "numfmt_parse_currency" "pcntl_waitpid" "pfsockopen"
  "preg_replace_callback_array" "socket_create_pair" "str_ireplace" "str_replace"
  "stream_socket_recvfrom" "xml_parse_into_struct"))

((function_call_expression
  function: (name) @_function
  arguments: (arguments . (_) . (_) . (_) . (_) .
    (argument (variable_name) @define.value)))
  (#any-of? @_function
  "grapheme_extract" "intltz_get_offset" "msg_receive" "preg_filter" "preg_replace"
  "preg_replace_callback" "socket_recvfrom"))

((function_call_expression
  function: (name) @_function
  arguments: (arguments . (_) . (_) . (_) . (_) . (_) .
    (argument (variable_name) @define.value)))
  (#any-of? @_function
  "msg_send" "openssl_encrypt" "openssl_seal" "socket_recvfrom"))

((function_call_expression
  function: (name) @_function
  arguments: (arguments . (_) . (_) . (_) . (_) . (_) . (_) . (_) .
    (argument (variable_name) @define.value)))
  (#any-of? @_function
  "msg_receive"))
