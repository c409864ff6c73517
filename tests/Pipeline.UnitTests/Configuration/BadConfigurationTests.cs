namespace OrdersStream.UnitTests.Configuration;

public class BadConfigurationTests
{
    /// <summary>A piece of the plan's file, what stands there instead, and all that is then to be said.</summary>
    public static TheoryData<string, string, string[]> Edits() => new()
    {
        // names
        { "  table:", "  tabel:",
            ["test.yml:1:1: postgres lacks the key 'table': Table to capture.",
                "test.yml:8:3: unknown key 'tabel' in postgres; did you mean 'table'?"] },
        { "  user:", "  username:",
            ["test.yml:1:1: postgres lacks the key 'user': Role to connect as.",
                "test.yml:6:3: unknown key 'username' in postgres; did you mean 'user'?"] },
        { "  format:", "  jdbcUrl: x\n  format:",
            ["test.yml:14:3: unknown key 'jdbcUrl' in datalake; known are path, format, partition_by, folder_name, compression, "
                + "compression_level, batch_bytes, batch_rows, file_bytes, row_group_rows"] },
        { "  format:", "  checkpoint_location: x\n  format:",
            ["test.yml:14:3: unknown key 'checkpoint_location' in datalake; it belongs to section streaming"] },
        { "streaming:", "batch_interval: 3\nstreaming:",
            ["test.yml:15:1: unknown section 'batch_interval'; the key 'batch_interval' belongs to section streaming"] },
        { "streaming:", "steaming: {}\nstreaming:", ["test.yml:15:1: unknown section 'steaming'; did you mean 'streaming'?"] },
        { "streaming:", "logging:\n  level: debug\nstreaming:",
            ["test.yml:15:1: unknown section 'logging'; the sections are postgres, kafka, datalake, streaming, audit, status"] },
        { "  port: 5432", "  port: 5432\n  port: 5432", ["test.yml:5:3: 'port' is given twice in postgres; first at test.yml:4:3"] },
        { "streaming:", "kafka:\n  topic: x\nstreaming:", ["test.yml:15:1: 'kafka' is given twice; first at test.yml:9:1"] },
        { "  brokers: \"kafka:29092\"\n", "",
            ["test.yml:9:1: kafka lacks the key 'brokers': Bootstrap servers: host:port, comma-separated."] },

        // shapes
        { "kafka:29092\"", "kafka:29092\"\n  partitions: [4]", ["test.yml:11:15: kafka.partitions must be one value, not a list"] },
        { "table: <rollnumber>_orders", "table: {name: x}", ["test.yml:8:10: postgres.table must be one value, not a mapping in braces"] },
        { "table: <rollnumber>_orders", "table:", ["test.yml:8:9: postgres.table has no value; give one, or remove the line"] },
        { "table: <rollnumber>_orders", "table: ~", ["test.yml:8:10: postgres.table has no value; give one, or remove the line"] },
        { "table: <rollnumber>_orders", "table: \"\"", ["test.yml:8:10: postgres.table is empty; give a value, or remove it"] },
        { "table: <rollnumber>_orders", "table: x\n  key_columns: [a, [b], ~]",
            ["test.yml:9:20: an element of postgres.key_columns must be one value, not a list",
                "test.yml:9:25: an element of postgres.key_columns must be one value, not nothing"] },
        { "table: <rollnumber>_orders", "table: x\n  key_columns: [a, a]", ["test.yml:9:16: postgres.key_columns names 'a' twice"] },
        { "table: <rollnumber>_orders", "table: x\n  key_columns: {a: b}",
            ["test.yml:9:16: postgres.key_columns must be one value, not a mapping in braces"] },
        { "kafka:\n  brokers: \"kafka:29092\"\n  topic: \"<rollnumber>_food_orders_raw\"", "kafka: kafka:29092",
            ["test.yml:9:1: kafka lacks the key 'brokers': Bootstrap servers: host:port, comma-separated.",
                "test.yml:9:1: kafka lacks the key 'topic': Topic that carries the row versions.",
                "test.yml:9:8: section kafka must hold keys, each on a line of its own ('key: value'), not a single value"] },

        // YAML that is not used here
        { "student123\"", "student123\"\n  <<: {a: b}",
            ["test.yml:8:3: merge keys (<<) are not supported; write the value out, or use ${NAME}"] },
        { "\"student123\"", "&pw student123",
            ["test.yml:7:13: anchors (&name) are not supported; remove it, or quote a value that begins with &"] },
        { "\"student123\"", "*pw", ["test.yml:7:13: aliases (*name) are not supported; write the value out, or use ${NAME}"] },
        { "\"student123\"", "!secret student123",
            ["test.yml:7:13: tags (!name) are not supported; remove it, or quote a value that begins with !"] },
        { "streaming:", "---\nstreaming:",
            ["test.yml:1:1: section 'streaming' is missing; it needs checkpoint_location, last_processed_timestamp_location",
                "test.yml:15:1: a second YAML document; the configuration is one"] },
        { "  host: postgres", "\thost: postgres", ["test.yml:3:1: not valid YAML: a tab in the indentation; use spaces"] },
        { "  db: \"food_delivery_db\"", "  db: \"food_delivery_db",
            ["test.yml:5:7: not valid YAML: while scanning a multi-line double-quoted scalar, found wrong indentation; "
                + "quote a value that holds special characters"] },

        // types and ranges
        { "port: 5432", "port: abc", ["test.yml:4:9: postgres.port is 'abc', which is no whole number; it must be 1 to 65535"] },
        { "port: 5432", "port: 0x1538", ["test.yml:4:9: postgres.port is '0x1538', which is no whole number; it must be 1 to 65535"] },
        { "port: 5432", "port: 70000", ["test.yml:4:9: postgres.port is 70000, which is out of range; it must be 1 to 65535"] },
        { "batch_interval: 5", "batch_interval: 5 seconds",
            ["test.yml:18:19: streaming.batch_interval is '5 seconds', which is no whole number; it must be 1 to 3600 seconds"] },
        { "batch_interval: 5", "batch_interval: 5.0",
            ["test.yml:18:19: streaming.batch_interval is '5.0', which is no whole number; it must be 1 to 3600 seconds"] },
        { "batch_interval: 5", "batch_interval: 99999999999999999999999999",
            ["test.yml:18:19: streaming.batch_interval is 99999999999999999999..., which is out of range; it must be 1 to 3600 seconds"] },
        { "batch_interval: 5", "batch_interval: -1",
            ["test.yml:18:19: streaming.batch_interval is -1, which is out of range; it must be 1 to 3600 seconds"] },
        { "\"parquet\"", "delta", ["test.yml:14:11: datalake.format is 'delta'; it must be parquet"] },
        { "\"parquet\"", "\"parquet\"\n  compression: snapy",
            ["test.yml:15:16: datalake.compression is 'snapy'; it must be none, snappy, gzip or zstd; did you mean 'snappy'?"] },

        { "\nstreaming:", "\nstatus:\n  lag_max: 9\nstreaming:",
            ["test.yml:16:12: status.lag_max is 9, and streaming.batch_interval is 5 s: what waits for an interval or two is not late; it "
                + "must be 10 s at least"] },

        // names that servers refuse
        { "topic: \"<rollnumber>_food_orders_raw\"", "topic: \"food orders\"",
            ["test.yml:11:10: kafka.topic is 'food orders'; Kafka allows letters, digits, '.', '_' and '-' in a topic's name"] },
        { "topic: \"<rollnumber>_food_orders_raw\"", "topic: ..", ["test.yml:11:10: kafka.topic is '..', which Kafka does not allow"] },
        { "<rollnumber>_food_orders_raw", new string('t', 250),
            ["test.yml:11:10: kafka.topic has a name of 250 characters; Kafka allows 249"] },
        { "table: <rollnumber>_orders", $"table: {new string('ä', 32)}",
            [$"test.yml:8:10: postgres.table has a name of 64 bytes ('{new string('ä', 32)}'); Postgres allows 63"] },
        { "\"student123\"", "\"student123\"\n  schema: \"a\\0b\"",
            ["test.yml:8:11: postgres.schema holds a control character; remove it"] },
        { "\"parquet\"", "\"parquet\"\n  partition_by: a/b",
            ["test.yml:15:17: datalake.partition_by is 'a/b'; it becomes a folder's name, so it holds no /, \\ or ="] },
        { "\"parquet\"", "\"parquet\"\n  partition_by: _day",
            ["test.yml:15:17: datalake.partition_by is '_day'; Spark and Hive hide folders that begin with _ or ."] },
        { "kafka:29092", "kafka", ["test.yml:10:12: kafka.brokers holds 'kafka' without a port; write host:port, comma-separated"] },
        { "kafka:29092", "a:1,b:0", ["test.yml:10:12: kafka.brokers holds 'b:0', whose port is not in 1 to 65535"] },
        { "\"kafka:29092\"", "[a:1, b:2]",
            ["test.yml:10:12: kafka.brokers must be one value, not a list; write them comma-separated in one text"] },
        { "kafka:29092", "a:1;b:2", ["test.yml:10:12: kafka.brokers holds 'a:1;b:2', with a semicolon; part addresses by commas"] },
        { "kafka:29092", "a:1,,b:2", ["test.yml:10:12: kafka.brokers holds '' without a port; write host:port, comma-separated"] },
        { "kafka:29092", "PLAINTEXT://kafka:29092",
            ["test.yml:10:12: kafka.brokers names a protocol; write host:port, and set kafka.security_protocol"] },

        // keys that need one another
        { "kafka:29092\"", "kafka:29092\"\n  sasl_mechanism: plain",
            ["test.yml:11:19: kafka.sasl_mechanism needs security_protocol sasl_plaintext or sasl_ssl (it is plaintext)"] },
        { "kafka:29092\"", "kafka:29092\"\n  security_protocol: SASL_PLAINTEXT\n  sasl_username: u",
            ["test.yml:11:22: kafka.security_protocol sasl_plaintext needs kafka.sasl_mechanism",
                "test.yml:11:22: kafka.security_protocol sasl_plaintext needs kafka.sasl_password"] },
        { "kafka:29092\"", "kafka:29092\"\n  ssl_ca_location: /no/ca.pem",
            ["test.yml:11:20: kafka.ssl_ca_location needs security_protocol ssl or sasl_ssl (it is plaintext)",
                "test.yml:11:20: kafka.ssl_ca_location names '/no/ca.pem', and there is no such file; "
                    + "without ssl_ca_location the authorities that the system trusts are used"] },
        { "kafka:29092\"", "kafka:29092\"\n  security_protocol: ssl\n  ssl_key_password: pw",
            ["test.yml:12:21: kafka.ssl_key_password needs kafka.ssl_key_location"] },
        { "\"student123\"", "\"student123\"\n  sslrootcert: /no/root.crt",
            ["test.yml:8:16: postgres.sslrootcert has no effect with sslmode prefer; set sslmode to verify-ca or verify-full, or remove it",
                "test.yml:8:16: postgres.sslrootcert names '/no/root.crt', and there is no such file; "
                    + "without sslrootcert the authorities that the system trusts are used"] },
        { "\"student123\"", "\"student123\"\n  sslmode: verify-full\n  sslkey: /no/client.key",
            ["test.yml:9:11: postgres.sslkey needs postgres.sslcert",
                "test.yml:9:11: postgres.sslkey names '/no/client.key', and there is no such file"] },

        // tokens
        { "  password: \"student123\"", "  sslmode: prefer\n  auth: entra",
            ["test.yml:8:9: postgres.auth entra needs sslmode require, verify-ca or verify-full (it is prefer): "
                + "whoever reads a token on its way can use it"] },
        { "\"student123\"", "\"student123\"\n  password_file: /no/word\n  sslmode: require\n  auth: Entra",
            ["test.yml:7:13: postgres.password has no effect with auth entra, by which a token proves who logs in; "
                    + "remove it (an empty Postgres__Password in the environment does), or set auth to password",
                "test.yml:8:18: postgres.password_file has no effect with auth entra, by which a token proves who logs in; "
                    + "remove it (an empty Postgres__PasswordFile in the environment does), or set auth to password",
                "test.yml:8:18: postgres.password_file names '/no/word', and there is no such file"] },
        { "kafka:29092\"", "a:9093,b:9093\"\n  auth: entra\n  security_protocol: ssl",
            ["test.yml:11:9: kafka.auth entra needs security_protocol sasl_ssl (it is ssl): whoever reads a token on its way can use it",
                "test.yml:11:9: kafka.auth entra needs one address in kafka.brokers, the namespace's: a token is for that alone"] },
        { "kafka:29092\"", "kafka:29092\"\n  auth: entra\n  security_protocol: sasl_ssl\n  sasl_mechanism: plain\n  sasl_username: u",
            ["test.yml:13:19: kafka.sasl_mechanism has no effect with auth entra, by which a token proves who logs in; "
                    + "remove it (an empty Kafka__SaslMechanism in the environment does), or set auth to password",
                "test.yml:14:18: kafka.sasl_username has no effect with auth entra, by which a token proves who logs in; "
                    + "remove it (an empty Kafka__SaslUsername in the environment does), or set auth to password"] },
        { "kafka:29092\"", "kafka:29092\"\n  auth: oauth", ["test.yml:11:9: kafka.auth is 'oauth'; it must be password or entra"] },

        // folders
        { "/datalake/food/<rollnumber>/checkpoints/orders", "/datalake/food/r1/output/orders/_checkpoints",
            ["test.yml:16:24: streaming.checkpoint_location ('/datalake/food/r1/output/orders/_checkpoints') lies inside datalake.path "
                + "('/datalake/food/r1/output/orders', test.yml:13:9); put them beside one another, so that a reader of the lake meets "
                + "no state files"] },
        { "/datalake/food/<rollnumber>/lastprocess/orders", "/datalake/food/r1/x/../output/orders/",
            ["test.yml:17:38: streaming.last_processed_timestamp_location ('/datalake/food/r1/x/../output/orders/') is the same folder "
                + "as datalake.path ('/datalake/food/r1/output/orders', test.yml:13:9); "
                + "put them beside one another, so that a reader of the lake meets no state files"] },
        { "/datalake/food/<rollnumber>/checkpoints/orders", "/datalake/food",
            ["test.yml:16:24: streaming.checkpoint_location ('/datalake/food') holds datalake.path ('/datalake/food/r1/output/orders', "
                + "test.yml:13:9); put them beside one another, so that a reader of the lake meets no state files"] },
        { "/datalake/food/<rollnumber>/output/orders", "s3a://bucket/orders",
            ["test.yml:13:9: datalake.path is a 's3a' URL; it must be a folder, as this machine or a mount shows it"] },
    };

    [Theory]
    [MemberData(nameof(Edits))]
    public void a_bad_file_gives_exact_messages(string old, string changed, string[] expected)
    {
        using var file = ConfigurationFile.PlanWith(old, changed);
        Assert.Equal(expected, file.Faults());
    }

    [Fact]
    public void all_faults_are_reported_at_once_in_the_order_of_their_places()
    {
        using var file = new ConfigurationFile(ConfigurationFile.Plan
            .Replace("batch_interval: 5", "batch_interval: soon", StringComparison.Ordinal)
            .Replace("port: 5432", "port: none", StringComparison.Ordinal));
        Assert.Equal(
            [
                "test.yml:4:9: postgres.port is 'none', which is no whole number; it must be 1 to 65535",
                "test.yml:18:19: streaming.batch_interval is 'soon', which is no whole number; it must be 1 to 3600 seconds",
                "Kafka__Topik: names no key of kafka; did you mean Kafka__Topic?",
                "--set kafka.partitions: kafka.partitions is 0, which is out of range; it must be 1 to 1000 partitions",
                "--set datalake.paths: unknown key 'paths' in datalake; did you mean 'path'?",
            ],
            file.Faults(["kafka.partitions=0", "datalake.paths=x"], new() { ["Kafka__Topik"] = "x" }));
    }

    [Fact]
    public void an_empty_file_lacks_every_section()
    {
        using var file = new ConfigurationFile("# nothing yet\n");
        Assert.Equal(
            [
                "test.yml:1:1: section 'datalake' is missing; it needs path",
                "test.yml:1:1: section 'kafka' is missing; it needs brokers, topic",
                "test.yml:1:1: section 'postgres' is missing; it needs host, db, user, table",
                "test.yml:1:1: section 'streaming' is missing; it needs checkpoint_location, last_processed_timestamp_location",
            ],
            file.Faults().Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(
        "- a\n- b\n", "test.yml:1:1: the file must hold sections (postgres, kafka, datalake, streaming, audit, status), not a list")]
    [InlineData(
        "just text\n",
        "test.yml:1:1: the file must hold sections (postgres, kafka, datalake, streaming, audit, status), not a single value")]
    [InlineData("{\"postgres\": {}}\n",
        "test.yml:1:1: the file must hold sections (postgres, kafka, datalake, streaming, audit, status), not a mapping in braces")]
    [InlineData("postgres: {port: 1}\n",
        "test.yml:1:11: section postgres must hold keys, each on a line of its own ('key: value'), not a mapping in braces")]
    [InlineData("? [a, b]\n: c\n", "test.yml:1:3: a key must be a word, not a list")]
    public void what_holds_no_sections_is_refused(string text, string expected)
    {
        using var file = new ConfigurationFile(text);
        Assert.Contains(expected, file.Faults());
    }

    [Fact]
    public void a_missing_file_is_one_clear_fault()
    {
        using var file = new ConfigurationFile("");
        File.Delete(file.Path);
        Assert.Equal(["test.yml: no such file; --config names another one"], file.Faults());
    }

    [Fact]
    public void a_folder_is_no_configuration_file()
    {
        using var file = new ConfigurationFile("");
        File.Delete(file.Path);
        Directory.CreateDirectory(file.Path);
        Assert.Equal(["test.yml: is a folder; name the YAML file"], file.Faults());
    }

    [Fact]
    public void a_file_that_is_not_text_is_refused()
    {
        using var file = new ConfigurationFile([0x50, 0xFF, 0xFE, 0x00]);
        Assert.Equal(["test.yml: is not UTF-8 text"], file.Faults());
    }

    [Fact]
    public void a_huge_file_is_refused_before_it_is_parsed()
    {
        using var file = new ConfigurationFile(new byte[2 * 1024 * 1024]);
        Assert.Equal(["test.yml: is larger than 1048576 bytes, so no configuration file"], file.Faults());
    }

    [Fact]
    public void deep_nesting_does_no_harm()
    {
        using var file = ConfigurationFile.PlanWith("table: <rollnumber>_orders", $"table: {new string('[', 100_000)}");
        Assert.NotEmpty(file.Faults());
    }

    [Fact]
    public void a_byte_order_mark_and_windows_line_ends_are_fine()
    {
        using var file = new ConfigurationFile("\uFEFF" + ConfigurationFile.Plan.Replace("\n", "\r\n", StringComparison.Ordinal));
        Assert.Equal("r1_orders", file.Load().Postgres.Table);
        using var bad = new ConfigurationFile("\uFEFF" + ConfigurationFile.Plan
            .Replace("port: 5432", "port: x", StringComparison.Ordinal).Replace("\n", "\r\n", StringComparison.Ordinal));
        Assert.StartsWith("test.yml:4:9: ", Assert.Single(bad.Faults()));
    }

    [Fact]
    public void numbers_may_be_quoted()
    {
        using var file = ConfigurationFile.PlanWith("port: 5432", "port: \"5432\"");
        Assert.Equal(5432, file.Load().Postgres.Port);
    }

    [Fact]
    public void words_count_without_their_case()
    {
        using var file = ConfigurationFile.PlanWith("\"parquet\"", "Parquet\n  compression: ZSTD");
        Assert.Equal(("parquet", "zstd"), (file.Load().Datalake.Format, file.Load().Datalake.Compression));
    }

    [Fact]
    public void an_optional_key_may_be_empty()
    {
        using var file = ConfigurationFile.PlanWith("\"student123\"", "\"${UNSET:-}\"\n  slack_seconds: \"\"\n  key_columns: []");
        var postgres = file.Load().Postgres;
        Assert.Null(postgres.Password);
        Assert.Null(postgres.SlackSeconds);
        Assert.Empty(postgres.KeyColumns);
    }
}
