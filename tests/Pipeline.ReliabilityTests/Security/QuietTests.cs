using System.Text;
using Confluent.Kafka;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Hosting.Loops;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Security;

/// <summary>
/// Whatever fails, no value of a row and no secret is told: not by a line of the log, an exception, the status document or a metric
/// (invariant 9).
/// </summary>
public sealed class QuietTests(PostgresServer postgres, KafkaServer kafka)
{
    /// <summary>In each text value, key and password of these streams; the number is in each row.</summary>
    private const string Mark = "q7Zmark", NumberMark = "987654321";

    private const string Ddl =
        """
        CREATE TABLE items (code text PRIMARY KEY, name text, amount numeric(12,3), updated_at timestamptz NOT NULL DEFAULT now());
        CREATE INDEX ON items (updated_at, code);
        """;

    private readonly StringBuilder said = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task about_records_that_cannot_be_decoded()
    {
        await using var stream = await CreateAsync();
        var marked = $"\"code\":\"{Mark}\",\"name\":\"{Mark}\",\"amount\":{NumberMark}.125";
        var time = "\"updated_at\":\"2026-01-01T00:00:00.000000Z\"";
        string[] poison =
        [
            Mark, $"[\"{Mark}\"]", $"{{{marked}", $"{{{marked}}}", $"{{{marked},\"updated_at\":\"{Mark}\"}}",
            $"{{{marked},{time},\"{Mark}\":1}}", $"{{{marked},{marked},{time}}}",
            $"{{\"code\":{NumberMark},\"name\":\"{Mark}\",\"amount\":1,{time}}}",
            $"{{\"code\":\"{Mark}\",\"name\":null,\"amount\":\"{Mark}\",{time}}}",
            $"{{\"code\":\"{Mark}\",\"name\":null,\"amount\":{NumberMark}{NumberMark}.1,{time}}}",
            $"{{\"code\":null,\"name\":\"{Mark}\",\"amount\":1,{time}}}",
        ];
        foreach (var value in poison) await ProduceAsync(stream, value, []);
        await ProduceAsync(stream, $"{{{marked},{time}}}", new Headers { { "op", Encoding.UTF8.GetBytes(Mark) } });

        await OnceAsync(stream, stops: false);

        Assert.True(stream.Lake.QuarantineLines.Count >= poison.Length, $"{stream.Lake.QuarantineLines.Count} are in quarantine");
        IsQuiet(stream, "quarantined");
    }

    [Fact]
    public async Task about_a_record_that_names_an_unknown_schema()
    {
        await using var stream = await CreateAsync();
        await ProduceAsync(stream, $"{{\"code\":\"{Mark}\"}}", new Headers { { "schema", Encoding.UTF8.GetBytes(Mark) } });
        await ProduceAsync(stream, $"{{\"code\":\"{Mark}\"}}", new Headers { { "schema", "0123456789abcdef"u8.ToArray() } });
        await OnceAsync(stream, stops: false);
        IsQuiet(stream, "quarantined");
    }

    [Theory]
    [InlineData("ALTER TABLE items ADD place point DEFAULT '(987654321, 1)'", "cannot be carried")]
    [InlineData("DROP TABLE items", "There is no table")]
    [InlineData("ALTER TABLE items DROP CONSTRAINT items_pkey", "no primary key")]
    public async Task about_a_table_that_cannot_be_captured(string change, string expected)
    {
        await using var stream = await CreateAsync();
        await stream.ExecuteAsync(change);
        await OnceAsync(stream);
        IsQuiet(stream, expected);
    }

    /// <summary>What a function of the database raises comes under any code, and each kind of code is told otherwise.</summary>
    [Theory]
    [InlineData("P0001", false), InlineData("42501", false), InlineData("22P02", false), InlineData("28000", false)]
    [InlineData("08006", true), InlineData("53300", true), InlineData("57014", true), InlineData("57P03", true), InlineData("40001", true)]
    public async Task about_a_server_whose_words_hold_a_value(string code, bool passes)
    {
        await using var stream = await CreateAsync(
            o => o with { Postgres = o.Postgres with { User = PostgresServer.PipelineRole, Password = PostgresServer.RolePassword } });
        // The comparison that the only index on the time uses; without it the plan would be another one.
        await stream.ExecuteAsync(
            $"""
            CREATE FUNCTION compare(a timestamptz, b timestamptz) RETURNS int LANGUAGE sql AS 'SELECT timestamptz_cmp(a, b)';
            CREATE OPERATOR CLASS loud FOR TYPE timestamptz USING btree
                AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 compare(timestamptz, timestamptz);
            DROP INDEX items_updated_at_code_idx;
            CREATE INDEX ON items (updated_at loud);
            ALTER DATABASE {stream.Database.Name} SET enable_seqscan = off;
            UPDATE items SET updated_at = clock_timestamp();
            CREATE OR REPLACE FUNCTION compare(a timestamptz, b timestamptz) RETURNS int LANGUAGE plpgsql AS $$
            DECLARE row text := (SELECT min(i::text) FROM public.items i);
            BEGIN
                RAISE EXCEPTION USING ERRCODE = '{code}', MESSAGE = 'a bad row: ' || row, DETAIL = row, HINT = row;
            END $$;
            """);
        if (passes) await UntilTroubleAsync(stream, o => o);
        else await OnceAsync(stream);
        IsQuiet(stream, code);
    }

    [Fact]
    public async Task about_a_login_that_is_refused()
    {
        await using var stream = await CreateAsync();
        await OnceAsync(stream, o => o with { Postgres = o.Postgres with { User = "nobody_of_this_name" } });
        IsQuiet(stream, "refused the login");
    }

    [Theory, InlineData("watermark"), InlineData("commits"), InlineData("schemas")]
    public async Task about_state_files_that_are_torn(string which)
    {
        await using var stream = await CreateAsync();
        var folder = which == "watermark"
            ? stream.Options.Streaming.LastProcessedTimestampLocation : stream.Options.Streaming.CheckpointLocation;
        var files = Directory.EnumerateFiles(folder, "*.json", SearchOption.AllDirectories)
            .Where(f => which == "watermark" || f.Contains("schemas", StringComparison.Ordinal) == (which == "schemas")).ToList();
        Assert.NotEmpty(files);
        foreach (var file in files) await File.WriteAllTextAsync(file, $"{{\"{Mark}\": \"{Mark}\", \"version\": {Mark}", Cancellation);
        await OnceAsync(stream, half: which == "watermark" ? null : PipelineHalf.KafkaToLake);
        IsQuiet(stream, which == "schemas" ? "chema" : "cannot be");
    }

    [Fact]
    public async Task about_a_topic_that_was_made_anew()
    {
        await using var stream = await CreateAsync();
        await kafka.DeleteTopicAsync(stream.Options.Kafka.Topic);
        await OnceAsync(stream);
        IsQuiet(stream, "topic");
    }

    [Fact]
    public async Task about_a_postgres_that_is_away()
    {
        await using var stream = await CreateAsync();
        await UntilTroubleAsync(stream, o => o with { Postgres = o.Postgres with { Host = "127.0.0.1", Port = 1 } });
        IsQuiet(stream, "Postgres cannot be reached");
    }

    [Fact]
    public async Task about_brokers_that_are_away()
    {
        await using var stream = await CreateAsync();
        await UntilTroubleAsync(stream, o => o with { Kafka = o.Kafka with { Brokers = "127.0.0.1:1" } });
        IsQuiet(stream, "Kafka failed");
    }

    [Fact]
    public async Task about_a_lake_that_cannot_be_written()
    {
        await using var stream = await CreateAsync();
        // Where no folder can be made, by whomever.
        const string noFolder = "/proc/none";
        Directory.Delete(Path.Combine(stream.Options.Streaming.CheckpointLocation, "commits"), recursive: true);
        // Records can be read again at each attempt, which does not end the trouble: it is told once.
        await UntilTroubleAsync(stream, o => o with { Datalake = o.Datalake with { Path = Path.Combine(noFolder, "lake") } }, attempts: 4);
        Assert.Single(stream.Log.Lines, l => l.Id == 9002);
        IsQuiet(stream, "state or lake file");
    }

    /// <summary>Folders are named by values then, and failures tell files.</summary>
    [Theory]
    [InlineData("gone", "is gone")]
    [InlineData("foreign", "cannot be read as one")]
    [InlineData("refused", "A file lies where a folder should be")]
    public async Task about_files_in_folders_that_are_named_by_values(string what, string expected)
    {
        await using var stream = await CreateAsync(o => o with { Datalake = o.Datalake with { PartitionBy = "name" } });
        var file = stream.Lake.Files[0];
        Assert.Contains(Mark, file, StringComparison.Ordinal);
        switch (what)
        {
            case "gone":
                File.Delete(file);
                break;
            case "foreign":
                await File.WriteAllTextAsync(file, "no Parquet", Cancellation);
                Directory.Delete(Path.Combine(stream.Options.Streaming.CheckpointLocation, "commits"), recursive: true);
                break;
            default:
                await File.WriteAllTextAsync(Path.Combine(stream.Lake.Path, $"by_name={Mark}-other"), "no folder", Cancellation);
                break;
        }
        await stream.ExecuteAsync($"UPDATE items SET name = '{Mark}-other', updated_at = clock_timestamp()");
        await OnceAsync(stream);
        IsQuiet(stream, expected);
    }

    [Fact]
    public async Task about_rows_that_differ()
    {
        await using var stream = await CreateAsync();
        await stream.ExecuteAsync(
            "UPDATE items SET name = name || '!' WHERE code LIKE '%1'; DELETE FROM items WHERE code LIKE '%2'; "
            + "INSERT INTO items VALUES ('q7Zmark-late', 'q7Zmark', 987654321, '2020-01-01')");
        await VerifyAsync(stream);
        IsQuiet(stream, "LAKE AND TABLE DIFFER");
    }

    /// <summary>A stream with marked rows, that has been through both halves once.</summary>
    private async Task<TestStream> CreateAsync(Func<PipelineOptions, PipelineOptions>? configure = null)
    {
        kafka.RequireReal("topics are deleted, state names their ids");
        var stream = await TestStream.CreateAsync(
            postgres, kafka, Ddl + $"GRANT SELECT ON items TO {PostgresServer.PipelineRole};",
            configure: o => Marked(configure is null ? o : configure(o)));
        await stream.ExecuteAsync(
            $"INSERT INTO items SELECT '{Mark}-' || i, '{Mark} name', {NumberMark}.125 FROM generate_series(1, 50) i");
        await OnceAsync(stream, stops: false);
        return stream;
    }

    private static PipelineOptions Marked(PipelineOptions options) => options with
    {
        Postgres = options.Postgres with { Password = options.Postgres.Password ?? Mark },
        Kafka = options.Kafka with { SaslPassword = Mark, Partitions = 1 },
        Streaming = options.Streaming with { BatchInterval = 1 },
    };

    private async Task OnceAsync(
        TestStream stream, Func<PipelineOptions, PipelineOptions>? configure = null, PipelineHalf? half = null, bool stops = true)
    {
        await using var run = stream.NewRun(configure);
        try
        {
            await run.OnceAsync(half, Cancellation);
            Assert.False(stops, "nothing failed");
        }
        catch (HalfStoppedException e) when (stops)
        {
            // As `run` tells it.
            run.Logger.HalfStopped(e.Half, e.Verdict.Problem, e.Verdict.Remedy, e.InnerException!);
            Hear(e);
        }
        await HearPageAsync(run);
    }

    private async Task UntilTroubleAsync(TestStream stream, Func<PipelineOptions, PipelineOptions> configure, int attempts = 1)
    {
        await using var run = stream.NewRun(configure);
        using var stop = new CancellationTokenSource();
        var running = run.UntilStoppedAsync(null, [0], stop.Token, stop.Token);
        await Waiting.UntilAsync(
            () =>
                Attempts() >= attempts, running, () => $"{Attempts()} of {attempts} attempts met trouble\n{stream.Log}", () => Attempts());
        await HearPageAsync(run);
        await stop.CancelAsync();
        await running.WithPatienceAsync("both halves");

        int Attempts() => run.Stream.Failures.Recent.Sum(f => f.Times);
    }

    private async Task HearPageAsync(TestRun run)
    {
        foreach (var path in new[] { "/api/status", "/metrics" })
        {
            var answer = await run.Site.Answers.AnswerAsync("GET", path, Cancellation);
            Assert.Equal(200, answer.Status);
            said.AppendLine(Encoding.UTF8.GetString(answer.Body.Span));
        }
    }

    private void Hear(Exception e) => said.AppendLine(e.ToString()).AppendLine(FailurePolicy.Judge(e.InnerException!).ToString());

    /// <summary>The command, as a process of its own.</summary>
    private async Task VerifyAsync(TestStream stream)
    {
        var options = stream.Options with { Kafka = stream.Options.Kafka with { SaslPassword = null } };
        using var verify = LocalHostProcess.Start(options, ["verify"]);
        var (exitCode, output) = await verify.EndAsync();
        said.Append(output);
        Assert.Equal(1, exitCode);
    }

    private static async Task ProduceAsync(TestStream stream, string value, Headers headers)
    {
        using var producer = new ProducerBuilder<byte[], byte[]>(new ProducerConfig { BootstrapServers = stream.Options.Kafka.Brokers })
            .SetLogHandler((_, _) => { }).Build();
        await producer.ProduceAsync(
            stream.Options.Kafka.Topic,
            new() { Key = Encoding.UTF8.GetBytes(Mark), Value = Encoding.UTF8.GetBytes(value), Headers = headers }, Cancellation);
    }

    /// <param name="stream">Its log is searched, with all that was heard.</param>
    /// <param name="expected">What must have been said: the failure that the test is about was met.</param>
    private void IsQuiet(TestStream stream, string expected)
    {
        var all = $"{stream.Log}\n{said}";
        Assert.Contains(expected, all, StringComparison.Ordinal);
        foreach (var mark in new[] { Mark, NumberMark, Convert.ToBase64String(Encoding.UTF8.GetBytes(Mark))[..8] })
            Assert.True(
                !all.Contains(mark, StringComparison.OrdinalIgnoreCase),
                $"'{mark}' was told:\n"
                + $"{string.Join('\n', all.Split('\n').Where(l => l.Contains(mark, StringComparison.OrdinalIgnoreCase)))}");
    }
}
