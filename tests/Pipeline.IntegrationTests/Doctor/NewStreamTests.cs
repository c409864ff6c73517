using System.Diagnostics;
using OrdersStream.Audit;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Doctor;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Programs;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests.Doctor;

/// <summary>What is proposed for a table is taken as it stands: the stream is ready then, and the lake equals the table.</summary>
public sealed class NewStreamTests(PostgresServer postgres, KafkaServer kafka) : IDisposable
{
    private readonly TestFolder folder = new();
    private readonly string table = $"t {Guid.NewGuid():N}"[..20];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("(id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text, last_modified timestamptz NOT NULL DEFAULT now())",
        "timestamp_column: \"last_modified\"")]
    [InlineData("(a int NOT NULL, \"B c\" text NOT NULL, name text, updated_at timestamptz NOT NULL DEFAULT now(), UNIQUE (\"B c\", a))",
        "key_columns: [\"B c\", \"a\"]")]
    [InlineData("(id bigint PRIMARY KEY, name text, created_at timestamptz DEFAULT now())", "table: ")]
    [InlineData("(id text COLLATE \"C\" PRIMARY KEY, name text, updated_at timestamptz NOT NULL DEFAULT now())", "table: ")]
    [InlineData("(id numeric PRIMARY KEY, name text, updated_at timestamptz NOT NULL DEFAULT now())", "table: ")]
    [InlineData("(id bigint PRIMARY KEY, name text, updated_at date)", "timestamp_column: \"row_updated_at\"")]
    [InlineData("(id bigint PRIMARY KEY, name text, address inet, price numeric, updated_at timestamptz NOT NULL DEFAULT now())",
        "other_types: \"text\"")]
    public async Task a_table_of_any_shape_is_captured_by_what_is_proposed(string columns, string expected)
    {
        await using var stream = await CreateAsync($"CREATE TABLE \"{table}\" {columns}");
        var servers = stream.Options with { Postgres = stream.Options.Postgres with { User = stream.Database.Superuser } };
        var proposal = await NewStream.ProposeAsync(
            servers with { Postgres = servers.Postgres with { Password = stream.Database.SuperuserPassword } },
            PostgresServer.PipelineRole, Token);
        Assert.Contains(expected, proposal.Yaml);
        Assert.DoesNotContain(PostgresServer.RolePassword, proposal.Yaml);

        await stream.ExecuteAsync(proposal.Sql);
        var options = Load(proposal.Yaml, stream);
        await using var run = stream.NewRun(_ => options);
        var found = await run.Stream.CheckAsync(null, Token);
        Assert.DoesNotContain(
            found.Findings, f => f is { Grade: not Grade.Good, Subject: "table" or "trigger" or "index" or "privileges" or "deletes" });

        var key = options.Postgres.KeyColumns.Count > 0 ? "a, \"B c\"" : "id";
        var values = options.Postgres.KeyColumns.Count > 0 ? "i, i::text" : columns.Contains("uuid") ? "gen_random_uuid()" : "i";
        await stream.ExecuteAsync($"INSERT INTO \"{table}\" ({key}, name) SELECT {values}, 'n' FROM generate_series(1, 20) i");
        Assert.True(await run.OnceAsync(null, Token));
        await stream.ExecuteAsync($"UPDATE \"{table}\" SET name = 'other'");
        Assert.True(await run.OnceAsync(null, Token));
        var compared = await run.Stream.Comparison.CompareAsync(Token);
        Assert.Equal((ComparisonVerdict.Equal, 20), (compared.Verdict, compared.Equal));
        Assert.Equal(40, compared.LakeRows);

        await stream.ExecuteAsync($"DELETE FROM \"{table}\" WHERE ctid IN (SELECT ctid FROM \"{table}\" LIMIT 5)");
        Assert.True(await run.OnceAsync(null, Token));
        compared = await run.Stream.Comparison.CompareAsync(Token);
        Assert.Equal((ComparisonVerdict.Equal, 15), (compared.Verdict, compared.Equal));
        await stream.ExecuteAsync($"TRUNCATE \"{table}\"");
        Assert.True(await run.OnceAsync(null, Token));
        compared = await run.Stream.Comparison.CompareAsync(Token);
        Assert.Equal((ComparisonVerdict.Equal, 0, 0), (compared.Verdict, compared.Equal, compared.Extra));
    }

    [Theory]
    [InlineData("t123456789012345678901234567890123456789012345678901234567", "id", "would have 66 bytes, and Postgres allows 63")]
    [InlineData("t_short", "delete_id", "the key's column delete_id has the name of one of its own")]
    public async Task deletes_that_no_table_can_take_are_told_of(string name, string key, string why)
    {
        await using var stream = await CreateAsync($"CREATE TABLE {name} ({key} bigint PRIMARY KEY, updated_at timestamptz NOT NULL)");
        var options = stream.Options with { Postgres = stream.Options.Postgres with { Table = name } };
        var sql = (await NewStream.ProposeAsync(options, null, Token)).Sql;
        Assert.Contains(why, sql);
        Assert.DoesNotContain("CREATE TABLE", sql);
        await stream.ExecuteAsync(sql);
    }

    /// <summary>What the configuration that there is says of its own table.</summary>
    [Fact]
    public async Task another_tables_settings_are_not_taken_along()
    {
        await using var stream = await CreateAsync($"CREATE TABLE \"{table}\" (id bigint PRIMARY KEY, updated_at timestamptz NOT NULL)");
        var others = stream.Options with
        {
            Postgres = stream.Options.Postgres with { DeletedWhen = "is_deleted" },
            Datalake = stream.Options.Datalake with { PartitionBy = "city", FolderName = "town" },
        };
        var yaml = (await NewStream.ProposeAsync(others, null, Token)).Yaml;
        Assert.All(["deleted_when", "partition_by", "folder_name"], key => Assert.DoesNotContain(key, yaml));
    }

    [Fact]
    public async Task what_is_no_table_is_named_and_so_is_a_keys_type_that_is_not_known()
    {
        await using var stream = await CreateAsync(
            $"CREATE VIEW \"{table}\" AS SELECT 1 AS id; CREATE TABLE hosts (address inet PRIMARY KEY, updated_at timestamptz NOT NULL)");
        var view = await Assert.ThrowsAsync<PipelineException>(() => NewStream.ProposeAsync(stream.Options, null, Token));
        Assert.Contains("is a view, and row versions cannot be told apart there", view.Problem);
        var hosts = stream.Options with { Postgres = stream.Options.Postgres with { Table = "hosts" } };
        var key = await Assert.ThrowsAsync<PipelineException>(() => NewStream.ProposeAsync(hosts, null, Token));
        Assert.Contains("Column address of \"public\".\"hosts\" is part of the key and is not carried (its type is inet)", key.Problem);
    }

    [Fact]
    public async Task where_nothing_is_lacking_no_statement_is_proposed()
    {
        await using var stream = await CreateAsync(
            $"CREATE TABLE \"{table}\" (id bigint PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now())");
        var first = await NewStream.ProposeAsync(stream.Options, null, Token);
        Assert.Contains("CREATE TRIGGER", first.Sql);
        Assert.Contains($"GRANT SELECT ON \"public\".\"{table}\"", first.Sql);
        await stream.ExecuteAsync(first.Sql);
        var second = await NewStream.ProposeAsync(stream.Options, null, Token);
        Assert.All(second.Sql.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.StartsWith("--", line));
    }

    [Fact]
    public async Task a_role_that_is_not_there_is_made()
    {
        await using var stream = await CreateAsync(
            $"CREATE TABLE \"{table}\" (id bigint PRIMARY KEY, updated_at timestamptz NOT NULL)");
        var sql = (await NewStream.ProposeAsync(stream.Options, "no such role", Token)).Sql;
        Assert.Contains("CREATE ROLE \"no such role\" LOGIN;", sql);
        Assert.Contains("GRANT pg_read_all_stats TO \"no such role\";", sql);
        var mistyped = await NewStream.ProposeAsync(stream.Options, PostgresServer.PipelineRole.ToUpperInvariant(), Token);
        Assert.Contains(mistyped.Notes, n => n.EndsWith($"did you mean {PostgresServer.PipelineRole}?", StringComparison.Ordinal));
    }

    [Fact]
    public async Task a_table_whose_rows_nothing_identifies_is_refused()
    {
        await using var stream = await CreateAsync($"CREATE TABLE \"{table}\" (id bigint UNIQUE, updated_at timestamptz)");
        var failure = await Assert.ThrowsAsync<PipelineException>(() => NewStream.ProposeAsync(stream.Options, null, Token));
        Assert.Contains("Nothing identifies the rows", failure.Problem);
        await stream.ExecuteAsync(failure.Remedy.Split(": ")[1].TrimEnd('.').Replace("...", "id"));
        Assert.DoesNotContain("key_columns", (await NewStream.ProposeAsync(stream.Options, null, Token)).Yaml);
    }

    /// <summary>The real program: what it prints can be sent to a file and to psql; what else there is to know goes elsewhere.</summary>
    [Fact]
    public async Task the_verb_prints_a_configuration_or_statements()
    {
        await using var stream = await CreateAsync(
            $"CREATE TABLE \"{table}\" (id bigint PRIMARY KEY, price numeric, updated_at timestamptz)");
        var configuration = folder.PathOf("servers.yml");
        await File.WriteAllTextAsync(configuration, ConfigurationLoader.Print(stream.Options), Token);
        var yaml = await RunAsync(configuration, "--table", table);
        Assert.Equal(0, yaml.ExitCode);
        Assert.StartsWith("note: numeric without a scale is text in the lake", yaml.Error);
        Assert.Contains("note: the configuration takes secrets from the environment: set POSTGRES_PASSWORD for", yaml.Error);
        var sql = await RunAsync(configuration, "--table", table, "--sql");
        Assert.DoesNotContain("POSTGRES_PASSWORD", sql.Error);
        await stream.ExecuteAsync(sql.Output);
        Assert.Equal(stream.Options.Postgres.Db, Load(yaml.Output, stream).Postgres.Db);

        var mistyped = await RunAsync(configuration, "--table", table + "x");
        Assert.Equal((1, ""), (mistyped.ExitCode, mistyped.Output));
        Assert.Contains($"Did you mean {table}?", mistyped.Error);
    }

    private PipelineOptions Load(string yaml, TestStream stream)
    {
        File.WriteAllText(folder.PathOf("proposed.yml"), yaml);
        var options = ConfigurationLoader.Load(
            folder.PathOf("proposed.yml"), [],
            new Dictionary<string, string> { ["POSTGRES_PASSWORD"] = PostgresServer.RolePassword, ["DATALAKE"] = folder.PathOf("data") },
            null);
        return options with { Kafka = options.Kafka with { BrokerTellsTopicIds = stream.Options.Kafka.BrokerTellsTopicIds } };
    }

    private Task<TestStream> CreateAsync(string ddl) => TestStream.CreateAsync(
        postgres, kafka, database => database.ExecuteAsync(ddl),
        (database, path) => StreamOptions.For(database.LoginOf(PostgresServer.PipelineRole), table, kafka, "init-", path));

    private async Task<(int ExitCode, string Output, string Error)> RunAsync(string configuration, params string[] arguments)
    {
        var start = new ProcessStartInfo(
            "dotnet", [Path.Combine(AppContext.BaseDirectory, "orders-stream.dll"), "init", "--config", configuration, .. arguments]);
        start.Environment["Postgres__Password"] = PostgresServer.RolePassword;
        using var program = new RunningProgram(start);
        return await program.EndApartAsync();
    }
}
