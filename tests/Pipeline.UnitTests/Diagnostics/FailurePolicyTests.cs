using System.Net.Sockets;
using Confluent.Kafka;
using Npgsql;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Rows;

namespace OrdersStream.UnitTests.Diagnostics;

public sealed class FailurePolicyTests
{
    private static PostgresException Postgres(string state) => new("text", "ERROR", "ERROR", state);
    private static KafkaException Kafka(ErrorCode code) => new(new Error(code));

    public static TheoryData<Exception, FailureAction> Table() => new()
    {
        { Postgres("57P01"), FailureAction.Retry },   // terminated by an administrator
        { Postgres("57P03"), FailureAction.Retry },   // starting up
        { Postgres("53300"), FailureAction.Retry },   // too many connections
        { Postgres("40001"), FailureAction.Retry },
        { Postgres("55006"), FailureAction.Retry },
        { Postgres("28P01"), FailureAction.Stop },    // wrong password
        { Postgres("3D000"), FailureAction.Stop },
        { Postgres("42501"), FailureAction.Stop },
        { Postgres("42703"), FailureAction.Stop },
        { Postgres("XX001"), FailureAction.Stop },
        { new NpgsqlException("x", new SocketException((int)SocketError.ConnectionRefused)), FailureAction.Retry },
        { new NpgsqlException("x", new IOException("cut")), FailureAction.Retry },
        { new NpgsqlException("x", new TimeoutException()), FailureAction.Retry },
        { new NpgsqlException("x", new System.Security.Authentication.AuthenticationException("bad certificate")), FailureAction.Stop },
        { Kafka(ErrorCode.Local_Transport), FailureAction.Retry },
        { Kafka(ErrorCode.Local_AllBrokersDown), FailureAction.Retry },
        { Kafka(ErrorCode.Local_Fenced), FailureAction.Retry },
        { Kafka(ErrorCode.NotEnoughReplicas), FailureAction.Retry },
        { Kafka(ErrorCode.SaslAuthenticationFailed), FailureAction.Stop },
        { Kafka(ErrorCode.TopicAuthorizationFailed), FailureAction.Stop },
        { Kafka(ErrorCode.InvalidTransactionTimeout), FailureAction.Stop },
        { Kafka(ErrorCode.MsgSizeTooLarge), FailureAction.Stop },
        { Kafka(ErrorCode.InvalidTimestamp), FailureAction.Retry },
        { Kafka(ErrorCode.InvalidRecord), FailureAction.Stop },
        { Kafka(ErrorCode.PolicyViolation), FailureAction.Stop },
        { Kafka(ErrorCode.UnsupportedVersion), FailureAction.Stop },
        { Kafka(ErrorCode.UnsupportedForMessageFormat), FailureAction.Stop },
        { Kafka(ErrorCode.UnsupportedCompressionType), FailureAction.Stop },
        { Kafka(ErrorCode.UnsupportedSaslMechanism), FailureAction.Stop },
        { Kafka(ErrorCode.Local_UnsupportedFeature), FailureAction.Stop },
        { Kafka(ErrorCode.Local_BadMsg), FailureAction.Stop },
        { Kafka(ErrorCode.OffsetOutOfRange), FailureAction.Retry },
        { new IOException("full", 28), FailureAction.Retry },
        { new UnauthorizedAccessException(), FailureAction.Stop },
        { new UndecodableException("column x: expected a number"), FailureAction.Quarantine },
        { new PipelineException(FailureAction.Retry, "a.", "b."), FailureAction.Retry },
        { new InvalidOperationException(), FailureAction.Stop },
        { new NullReferenceException(), FailureAction.Stop },
    };

    [Theory]
    [MemberData(nameof(Table))]
    public void each_kind_of_failure_has_its_action_and_a_remedy(Exception failure, FailureAction expected)
    {
        var verdict = FailurePolicy.Judge(failure);
        Assert.Equal(expected, verdict.Action);
        Assert.NotEmpty(verdict.Problem);
        Assert.NotEmpty(verdict.Remedy);
    }

    [Fact]
    public void only_what_a_half_says_promises_another_try()
    {
        var verdict = FailurePolicy.Judge(Kafka(ErrorCode.Local_Transport));
        Assert.Equal("Check kafka.brokers and that the brokers run.", verdict.Check);
        Assert.Equal($"It is tried again with growing pauses; nothing is lost meanwhile. {verdict.Check}", verdict.Remedy);
    }

    [Fact]
    public void the_address_that_was_asked_is_told()
    {
        var refused = new NpgsqlException("x", new System.Net.Sockets.SocketException(111));
        refused.Data[FailurePolicy.AskedKey] = "db:5432";
        Assert.EndsWith(", at db:5432).", FailurePolicy.Judge(refused).Problem);
        var late = new NpgsqlException("x", new TimeoutException());
        late.Data[FailurePolicy.AskedKey] = "db:5432";
        Assert.Equal("Postgres did not answer in time (at db:5432).", FailurePolicy.Judge(late).Problem);
        var kafka = Kafka(ErrorCode.Local_Fail);
        Assert.Null(new ClientErrors(new KafkaOptions { Brokers = "b1:9092,b2:9092" }).CauseOf(kafka));
        Assert.EndsWith(", at b1:9092,b2:9092).", FailurePolicy.Judge(kafka).Problem);
    }

    /// <summary>Its kind has neither, for one failure may know them and the next not.</summary>
    [Theory]
    [InlineData(ErrorCode.Local_Fenced, "Another publisher took over this stream (at b1:9092).")]
    [InlineData(ErrorCode.SaslAuthenticationFailed, "Kafka refused the login (SaslAuthenticationFailed, at b1:9092).")]
    [InlineData(ErrorCode.TopicAuthorizationFailed, "a permission (TopicAuthorizationFailed, topic 'orders', at b1:9092).")]
    [InlineData(ErrorCode.MsgSizeTooLarge, "does not fit the topic (MsgSizeTooLarge, topic 'orders', at b1:9092).")]
    [InlineData(ErrorCode.InvalidRecord, "by their content, or by a policy (InvalidRecord, topic 'orders', at b1:9092).")]
    [InlineData(ErrorCode.UnsupportedVersion, "what they are asked for (UnsupportedVersion, topic 'orders', at b1:9092).")]
    [InlineData(ErrorCode.InvalidTimestamp, "lies too far ahead, or back (InvalidTimestamp, topic 'orders', at b1:9092).")]
    [InlineData(ErrorCode.UnknownTopicOrPart, "The topic is not there (UnknownTopicOrPart, topic 'orders', at b1:9092).")]
    [InlineData(ErrorCode.OffsetOutOfRange, "next for the lake (OffsetOutOfRange, topic 'orders', at b1:9092).")]
    [InlineData(ErrorCode.InvalidTransactionTimeout, "as long as kafka.transaction_timeout (at b1:9092).")]
    public void a_failure_of_kafka_names_broker_and_topic(ErrorCode code, string end)
    {
        var (known, unknown) = (Kafka(code), FailurePolicy.Judge(Kafka(code)));
        _ = new ClientErrors(new KafkaOptions { Brokers = "b1:9092", Topic = "orders" }).CauseOf(known);
        var verdict = FailurePolicy.Judge(known);
        Assert.EndsWith(end, verdict.Problem);
        Assert.DoesNotContain("b1", unknown.Problem);
        Assert.Equal(unknown.Kind, verdict.Kind);
    }

    [Fact]
    public void a_login_that_is_refused_and_a_broken_tls_name_the_server()
    {
        var tls = new NpgsqlException("x", new System.Security.Authentication.AuthenticationException("the name does not match"));
        tls.Data[FailurePolicy.AskedKey] = "db:5432";
        Assert.Equal("TLS to Postgres failed: the name does not match (at db:5432).", FailurePolicy.Judge(tls).Problem);
        var login = Raised("28P01", "auth.c", "auth_failed");
        login.Data[FailurePolicy.AskedKey] = "db:5432";
        Assert.EndsWith(", at db:5432).", FailurePolicy.Judge(login).Problem);
    }

    /// <summary>Of a connection that was there, too; their kinds stay what they were.</summary>
    [Fact]
    public void what_fails_of_a_statement_names_the_server()
    {
        var refusal = Raised("57P01", "postgres.c", "ProcessInterrupts");
        var kind = FailurePolicy.Judge(refusal).Kind;
        var verdict = FailurePolicy.OfStatement(refusal, isConnected: true, "db:5432")!.Verdict;
        Assert.Equal(("Postgres refused for now (57P01 these words, at db:5432).", kind), (verdict.Problem, verdict.Kind));
        Assert.Equal(
            "The connection to Postgres broke (at db:5432).",
            FailurePolicy.OfStatement(new InvalidOperationException("x"), isConnected: false, "db:5432")!.Problem);
        // What is passed on as it is.
        var broken = new NpgsqlException("x", new IOException("y"));
        Assert.Null(FailurePolicy.OfStatement(broken, isConnected: false, "db:5432"));
        Assert.Equal("The connection to Postgres broke (at db:5432).", FailurePolicy.Judge(broken).Problem);
    }

    /// <summary>What it lacks is made on the server, and nothing needs to be started anew.</summary>
    [Fact]
    public void a_login_by_a_token_that_is_refused_is_tried_again()
    {
        var refused = Raised("28P01", "auth.c", "auth_failed");
        refused.Data[FailurePolicy.TokenKey] = FailurePolicy.TokenKey;
        var verdict = FailurePolicy.Judge(refused);
        Assert.Equal(FailureAction.Retry, verdict.Action);
        Assert.Equal("Postgres refused the login by a token of Entra ID (28P01 these words).", verdict.Problem);
        Assert.Contains("pgaadauth_create_principal", verdict.Check, StringComparison.Ordinal);
    }

    [Fact]
    public void a_full_disk_is_told_with_its_file_and_the_room_that_is_left()
    {
        using var folder = new TempFolder();
        var problem = FailurePolicy.Judge(new IOException($"No space left on device : '{folder["not/there"]}'", 28)).Problem;
        Assert.Matches(
            $@"\AThe disk is full at '{System.Text.RegularExpressions.Regex.Escape(folder["not/there"])}', "
            + @"whose file system has [0-9,]+ of [0-9,]+ MiB left\.\z", problem);
        Assert.Equal("The disk is full.", FailurePolicy.Judge(new IOException("no space", 28)).Problem);
        Assert.StartsWith(
            "The file system is read-only at '/x'.", FailurePolicy.Judge(new IOException("Read-only file system : '/x'", 30)).Problem);
        Assert.Contains("written at '/x' (IOException, error 5).", FailurePolicy.Judge(new IOException("I/O error : '/x'", 5)).Problem);
        Assert.Contains(
            "may not be written at '/x'.",
            FailurePolicy.Judge(new UnauthorizedAccessException("Access to the path '/x' is denied.")).Problem);
    }

    /// <summary>It does not go away by itself.</summary>
    [Fact]
    public void a_file_in_the_place_of_a_folder_stops_with_its_name()
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder["plain"], "");
        foreach (var below in (string[])["plain", "plain/a", "plain/a/b"])
        {
            var failure = Assert.Throws<IOException>(() => DurableFile.CreateDirectory(folder[below], CrashPoints.None));
            var verdict = FailurePolicy.Judge(failure);
            Assert.Equal(
                (FailureAction.Stop, $"A file lies where a folder should be at '{folder["plain"]}'."), (verdict.Action, verdict.Problem));
        }
    }

    [Fact]
    public void a_verdict_never_repeats_the_text_of_a_failure_that_may_hold_values() =>
        Assert.DoesNotContain("secret-row-value", FailurePolicy.Judge(new InvalidOperationException("secret-row-value")).ToString());

    /// <summary>No function of the database can raise from there.</summary>
    [Theory]
    [InlineData("57P01", "postgres.c", "ProcessInterrupts")]
    [InlineData("57P03", "postmaster.c", "ProcessStartupPacket")]
    [InlineData("53300", "./build/../src/backend/storage/lmgr/proc.c", "InitProcess")]
    [InlineData("53100", "md.c", "mdextend")]
    [InlineData("42501", "aclchk.c", "aclcheck_error")]
    [InlineData("28P01", "auth.c", "auth_failed")]
    [InlineData("28000", "miscinit.c", "InitializeSessionUserId")]
    [InlineData("3D000", "postinit.c", "InitPostgres")]
    public void the_servers_words_are_told_where_they_speak_of_its_own_things(string code, string file, string routine)
    {
        var verdict = FailurePolicy.Judge(Raised(code, file, routine));
        Assert.Contains(code, verdict.Problem);
        Assert.Contains("these words", verdict.Problem);
        Assert.DoesNotContain("more words", verdict.ToString());
    }

    public static TheoryData<string, string?, string?> AnybodysWords()
    {
        string[] codes =
            ["08006", "08P01", "28000", "3D000", "40001", "42501", "53300", "55P03", "57014", "57P03", "58030", "P0001", "XX000"];
        (string?, string?)[] places =
        [
            ("pl_exec.c", "exec_stmt_raise"), ("plpy_elog.c", "PLy_elog_impl"), ("plperl.c", "plperl_call_perl_func"), ("elog.c", "x"),
            ("genfile.c", "pg_read_file"), ("guc.c", "set_config_option"), ("connection.c", "pgfdw_report_error"),
            ("postgres.c", "exec_stmt_raise"), ("x.c", "ProcessInterrupts"), ("postgres.c", null), (null, "ProcessInterrupts"),
            (null, null),
        ];
        var data = new TheoryData<string, string?, string?>();
        foreach (var code in codes)
            foreach (var (file, routine) in places) data.Add(code, file, routine);
        return data;
    }

    [Theory, MemberData(nameof(AnybodysWords))]
    public void words_that_somebody_else_may_have_chosen_are_told_under_no_code(string code, string? file, string? routine)
    {
        var verdict = FailurePolicy.Judge(Raised(code, file, routine));
        Assert.DoesNotContain("words", verdict.ToString());
        if (code != "3D000") Assert.Contains(code, verdict.Problem);
    }

    private static PostgresException Raised(string code, string? file, string? routine) => new(
        "these words", "ERROR", "ERROR", code, detail: "more words", hint: "more words", where: "more words", internalQuery: "more words",
        file: file!, routine: routine!);
}
