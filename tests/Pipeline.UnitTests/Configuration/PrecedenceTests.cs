namespace OrdersStream.UnitTests.Configuration;

public class PrecedenceTests
{
    [Fact]
    public void the_environment_wins_over_the_file_and_the_command_line_over_both()
    {
        using var file = ConfigurationFile.PlanWith("batch_interval: 5", "batch_interval: 6");
        var environment = new Dictionary<string, string> { ["Streaming__BatchInterval"] = "7" };
        Assert.Equal(6, file.Load().Streaming.BatchInterval);
        Assert.Equal(7, file.Load(environment: environment).Streaming.BatchInterval);
        Assert.Equal(8, file.Load(["streaming.batch_interval=8"], environment).Streaming.BatchInterval);
        Assert.Equal(9, file.Load(["streaming.batch_interval=8", "streaming.batch_interval=9"], environment).Streaming.BatchInterval);
    }

    [Theory]
    [InlineData("Postgres__TimestampColumn")]
    [InlineData("POSTGRES__TIMESTAMP_COLUMN")]
    [InlineData("postgres__timestampcolumn")]
    [InlineData("Postgres__Timestamp_Column")]
    public void case_and_underscores_of_a_variables_key_do_not_count(string name)
    {
        using var file = new ConfigurationFile(ConfigurationFile.Plan);
        Assert.Equal("changed_at", file.Load(environment: new() { [name] = "changed_at" }).Postgres.TimestampColumn);
    }

    [Fact]
    public void variables_of_others_are_left_alone()
    {
        using var file = new ConfigurationFile(ConfigurationFile.Plan);
        Assert.Empty(file.Faults(environment: new()
        {
            ["POSTGRES_PORT"] = "x", ["KAFKA_HEAP_OPTS"] = "x", ["Logging__Level"] = "x", ["MyPostgres__Port"] = "x",
        }));
    }

    [Fact]
    public void a_variable_that_names_no_key_is_a_fault()
    {
        using var file = new ConfigurationFile(ConfigurationFile.Plan);
        Assert.Equal(
            [
                "KAFKA__: names no key of kafka; known are brokers, topic, partitions, replication_factor, compacted, compression, "
                    + "group_id, security_protocol, auth, sasl_mechanism, sasl_username, sasl_password, sasl_password_file, "
                    + "ssl_ca_location, ssl_certificate_location, ssl_key_location, ssl_key_password, ssl_key_password_file, "
                    + "transaction_timeout, delivery",
                "Postgres__JdbcUri: names no key of postgres; did you mean Postgres__JdbcUrl?",
            ],
            file.Faults(environment: new() { ["Postgres__JdbcUri"] = "x", ["KAFKA__"] = "x" }));
    }

    [Fact]
    public void one_key_by_two_variables_is_a_fault_where_they_differ()
    {
        using var file = new ConfigurationFile(ConfigurationFile.Plan);
        Assert.Equal(
            ["Kafka__GroupId: and KAFKA__GROUP_ID both give kafka.group_id, with different values; unset one"],
            file.Faults(environment: new() { ["Kafka__GroupId"] = "a", ["KAFKA__GROUP_ID"] = "b" }));
        Assert.Equal("a", file.Load(environment: new() { ["Kafka__GroupId"] = "a", ["KAFKA__GROUP_ID"] = "a" }).Kafka.GroupId);
    }

    [Theory]
    [InlineData("postgres.tabel=x", "--set postgres.tabel: unknown key 'tabel' in postgres; did you mean 'table'?")]
    [InlineData("postgre.table=x", "--set postgre.table: unknown section 'postgre'; did you mean 'postgres'? (must be section.key=value)")]
    [InlineData("table=x", "--set table: unknown section 'table' (must be section.key=value)")]
    [InlineData("postgres.table", "--set postgres.table: must be section.key=value")]
    [InlineData("postgres.password:hunter2", "--set postgres.password: must be section.key=value")]
    [InlineData("", "--set : must be section.key=value")]
    [InlineData("postgres.port=", "--set postgres.port: postgres.port is empty; give a value, or remove it")]
    public void a_bad_override_is_named_without_its_value(string text, string expected)
    {
        using var file = new ConfigurationFile(ConfigurationFile.Plan);
        Assert.Equal([expected], file.Faults([text]));
    }

    [Fact]
    public void an_overrides_value_may_hold_equals_signs()
    {
        using var file = new ConfigurationFile(ConfigurationFile.Plan);
        Assert.Equal("a=b=c", file.Load(["postgres.password=a=b=c"]).Postgres.Password);
    }

    [Fact]
    public void a_list_is_a_yaml_list_or_has_commas()
    {
        using var file = ConfigurationFile.PlanWith("\"student123\"", "\"student123\"\n  key_columns:\n    - shop\n    - \"order,no\"");
        Assert.Equal(["shop", "order,no"], file.Load().Postgres.KeyColumns);
        Assert.Equal(["a", "b"], file.Load(environment: new() { ["Postgres__KeyColumns"] = "a, b" }).Postgres.KeyColumns);
        Assert.Equal(["c"], file.Load(["postgres.key_columns=c"]).Postgres.KeyColumns);
        Assert.Empty(file.Load(["postgres.key_columns="]).Postgres.KeyColumns);
    }

    [Fact]
    public void what_the_file_lacks_may_come_from_elsewhere()
    {
        var streaming = ConfigurationFile.Plan.IndexOf("streaming:", StringComparison.Ordinal);
        using var file = new ConfigurationFile(ConfigurationFile.Plan[..streaming]);
        Assert.Empty(file.Faults(["streaming.checkpoint_location=/c"], new() { ["STREAMING__LAST_PROCESSED_TIMESTAMP_LOCATION"] = "/l" }));
    }

    [Fact]
    public void a_bad_value_that_is_overridden_does_no_harm()
    {
        using var file = ConfigurationFile.PlanWith("batch_interval: 5", "batch_interval: ${UNSET}");
        Assert.Equal(3, file.Load(["streaming.batch_interval=3"]).Streaming.BatchInterval);
    }
}
