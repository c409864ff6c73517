using System.Net.Sockets;
using System.Text;
using Confluent.Kafka;
using Npgsql;

namespace OrdersStream.Diagnostics;

/// <summary>
/// The one table of failures (invariant 8). Retry is for causes that pass by themselves; whatever is not listed stops the
/// half. Nothing is skipped. Texts of servers are passed on only where they hold no row values (invariant 9).
/// </summary>
public static class FailurePolicy
{
    /// <summary>In an exception's data: the address that was asked, where only who asked knows it.</summary>
    /// <remarks>One failure may know it and the next, of a connection that was there, not: it is no part of their kind.</remarks>
    internal const string AskedKey = "orders_stream.asked";

    /// <summary>The same: the topic that it was about.</summary>
    internal const string AskedTopicKey = "orders_stream.topic";

    /// <summary>In an exception's data: the file that holds what this side proves by who it is; it is read at the next try.</summary>
    internal const string CredentialsKey = "orders_stream.credentials";

    /// <summary>In an exception's data: what this side proves by who it is was a token, another one at the next try.</summary>
    internal const string TokenKey = "orders_stream.token";

    public static FailureVerdict Judge(Exception failure) => Addressed(JudgeItself(failure), failure);

    private static FailureVerdict JudgeItself(Exception failure) => failure switch
    {
        PipelineException e => e.Verdict,
        PostgresException e => Postgres(e),
        NpgsqlException { InnerException: not null } e when Find<System.Security.Authentication.AuthenticationException>(e) is { } tls =>
            new(FailureAction.Stop,
                $"TLS to Postgres failed: {tls.Message}",
                "Check postgres.sslmode, postgres.sslrootcert and the server's certificate and host name."),
        NpgsqlException e when Find<SocketException>(e) is { } socket =>
            Retry(
                $"Postgres cannot be reached ({socket.SocketErrorCode})",
                "Check postgres.host and postgres.port, and that the server runs.") with { Kind = $"Postgres {socket.SocketErrorCode}" },
        NpgsqlException e when Find<TimeoutException>(e) is not null =>
            Retry("Postgres did not answer in time", "Check the server and the network.")
                with { Kind = "Postgres in time" },
        NpgsqlException e when e.IsTransient || Find<IOException>(e) is not null => ConnectionBroke(),
        NpgsqlException { InnerException: null } e =>
            new(FailureAction.Stop,
                $"Postgres cannot be used as configured ({e.Message}).",
                "Check postgres.user, postgres.password and postgres.sslmode."),
        UnreachableBrokerException e => new(FailureAction.Retry, e.Problem, e.Check, SeesItself: true),
        KafkaException e => Kafka(e),
        IOException e => File(e),
        UnauthorizedAccessException e =>
            new(FailureAction.Stop,
                $"A state or lake file may not be written{FailedFile.At(e)}.",
                "Give the process's user write permission on datalake.path and the two streaming folders."),
        SocketException e =>
            Retry($"A server cannot be reached ({e.SocketErrorCode})", "Check the addresses in the configuration.")
                with { Kind = $"server {e.SocketErrorCode}" },
        TimeoutException e => Retry("A server did not answer in time", "Check the servers and the network.")
            with { Kind = "server in time" },
        _ => new(FailureAction.Stop,
            $"Unexpected failure ({failure.GetType().Name}).",
            "This is a defect: please report it with the stack trace.", IsDefect: true),
    };

    /// <summary>
    /// A statement's failure, as one's own where the driver's is not to go on as it is; else null. A server's own words
    /// may quote a row (a policy, a cast of a key), and an exception is logged as a whole (invariant 9). And of a connection
    /// that broke unseen, while it was idle or behind a COPY that was given up, the driver says that its caller made a mistake.
    /// </summary>
    /// <param name="failure">What the driver threw.</param>
    /// <param name="isConnected">Whether the connection still is one.</param>
    /// <param name="address">The server's.</param>
    public static PipelineException? OfStatement(Exception failure, bool isConnected, string address)
    {
        // Whoever judges it later knows it, too.
        if (Find<NpgsqlException>(failure) is { } asked) asked.Data[AskedKey] ??= address;
        return failure switch
        {
            PostgresException e => new(Addressed(Postgres(e), e)),
            InvalidOperationException when !isConnected => new(At(ConnectionBroke(), address), failure),
            _ => null,
        };
    }

    /// <summary>What is to be done where policies hide rows, which would be taken for rows that are not there.</summary>
    /// <param name="role">The role's name, or whose it is.</param>
    public static string RowSecurityRemedy(string role) =>
        $"Let the role see all rows, as a superuser: ALTER ROLE {role} BYPASSRLS. Or, where the table needs no policies any more: "
        + "ALTER TABLE ... DISABLE ROW LEVEL SECURITY.";

    /// <summary>
    /// Where a failure came about, and each that caused it: kinds and stack traces
    /// without their words, which may hold a row's value (invariant 9).
    /// </summary>
    public static string TraceOf(Exception failure)
    {
        var trace = new StringBuilder();
        for (var e = failure; e is not null; e = e.InnerException) trace.AppendLine(e.GetType().FullName).AppendLine(e.StackTrace);
        return trace.ToString().TrimEnd();
    }

    private static FailureVerdict Postgres(PostgresException e) => e.SqlState[..2] switch
    {
        "08" or "53" or "57" or "58" or "40" or "55" =>
            Retry($"Postgres refused for now ({ServerWords.Of(e)})", "Check the server's log.") with { Kind = e.SqlState },
        "22" when e.SqlState == "22021" => new(FailureAction.Stop,
            "A row holds text that is not UTF-8 (22021): the database's encoding is SQL_ASCII, which takes any bytes.",
            "Repair the text (psql shows and updates it with PGCLIENTENCODING=SQL_ASCII), leave its column out by "
            + "postgres.exclude_columns, or move the table to a database of encoding UTF8."),
        "28" when e.Data[CredentialsKey] is string file => Retry(
            $"Postgres refused the login with what '{file}' holds ({ServerWords.Of(e)})",
            "Put into the file what the server takes: it is read at each try. Else check postgres.user, and pg_hba.conf on the server.")
            with { Kind = "login to Postgres" },
        "28" when e.Data[TokenKey] is not null => Retry(
            $"Postgres refused the login by a token of Entra ID ({ServerWords.Of(e)})",
            "postgres.user must be a role of the server's that stands for the identity: its administrator makes it by "
            + "SELECT * FROM pgaadauth_create_principal('<identity>', false, false), in the database postgres.")
            with { Kind = "login to Postgres" },
        "28" => new(FailureAction.Stop,
            $"Postgres refused the login ({ServerWords.Of(e)}).",
            "Check postgres.user and postgres.password, and pg_hba.conf on the server."),
        "3D" => new(FailureAction.Stop,
            $"The database does not exist ({ServerWords.Of(e)}).",
            "Check postgres.db, or create it (psql -l lists those that are there)."),
        "42" when ServerWords.AreOfRowSecurity(e) => new(FailureAction.Stop,
            $"Row security hides rows from the role ({ServerWords.Of(e)}).",
            RowSecurityRemedy("of postgres.user")),
        "42" when e.SqlState == "42501" => new(FailureAction.Stop,
            $"The role lacks a permission ({ServerWords.Of(e)}).",
            "GRANT SELECT on the table and USAGE on its schema to postgres.user (db/orders.sql does)."),
        _ => new(FailureAction.Stop, $"Postgres reported {e.SqlState}.", "See the server's log for the statement."),
    };

    private static FailureVerdict Kafka(KafkaException e) => e.Error.Code switch
    {
        ErrorCode.Local_Fenced or ErrorCode.ProducerFenced or ErrorCode.InvalidProducerEpoch =>
            Retry("Another publisher took over this stream", "Harmless where two instances run: one stands by."),
        ErrorCode.Local_Authentication or ErrorCode.SaslAuthenticationFailed or ErrorCode.Local_Ssl
            when e.Data[CredentialsKey] is string file => Retry(
            $"Kafka refused the login with what '{file}' holds ({e.Error.Code}: {e.Error.Reason})",
            "Put into the file what the brokers take: it is read at each try. Else check kafka.security_protocol and the brokers' users.")
            with { Kind = "login to Kafka" },
        ErrorCode.Local_Authentication or ErrorCode.SaslAuthenticationFailed when e.Data[TokenKey] is not null => Retry(
            $"Kafka refused the login by a token of Entra ID ({e.Error.Code})",
            "Check that kafka.brokers is the namespace's own address, by which the token is asked for, and that the identity is of its "
            + "tenant and has a role there (Azure Event Hubs Data Owner).")
            with { Kind = "login to Kafka" },
        ErrorCode.Local_Authentication or ErrorCode.SaslAuthenticationFailed =>
            new(FailureAction.Stop,
                $"Kafka refused the login ({e.Error.Code}).",
                "Check kafka.sasl_mechanism, kafka.sasl_username and kafka.sasl_password, and the user's credentials on the brokers."),
        ErrorCode.Local_Ssl =>
            new(FailureAction.Stop,
                $"TLS to Kafka failed ({e.Error.Reason}).",
                "Check kafka.security_protocol, kafka.ssl_ca_location, and the brokers' certificate and host name."),
        ErrorCode.TopicAuthorizationFailed or ErrorCode.GroupAuthorizationFailed
            or ErrorCode.ClusterAuthorizationFailed or ErrorCode.TransactionalIdAuthorizationFailed =>
            new(FailureAction.Stop,
                $"The Kafka user lacks a permission ({e.Error.Code}{TopicOf(e)}).",
                "Grant READ, WRITE, DESCRIBE (and CREATE) on the topic, READ on the group, WRITE on the transactional id; "
                + "on Event Hubs the role Azure Event Hubs Data Owner.")
            { Kind = $"{e.Error.Code}" },
        ErrorCode.MsgSizeTooLarge or ErrorCode.Local_InvalidArg =>
            new(FailureAction.Stop,
                $"A record does not fit the topic ({e.Error.Code}{TopicOf(e)}).",
                "Raise the topic's max.message.bytes (kafka-configs --alter --entity-type topics --add-config max.message.bytes=...).")
            { Kind = $"{e.Error.Code}" },
        ErrorCode.InvalidRecord or ErrorCode.PolicyViolation =>
            new(FailureAction.Stop,
                $"The brokers refuse records of the topic by their content, or by a policy ({e.Error.Code}{TopicOf(e)}).",
                "Look at what the topic, or the brokers, ask of its records (a validation of schemas, a policy): take it off, or name "
                + "another kafka.topic.")
            { Kind = $"{e.Error.Code}" },
        ErrorCode.UnsupportedVersion or ErrorCode.UnsupportedForMessageFormat or ErrorCode.UnsupportedCompressionType
            or ErrorCode.UnsupportedSaslMechanism or ErrorCode.Local_UnsupportedFeature =>
            new(FailureAction.Stop,
                $"The brokers cannot do what they are asked for ({e.Error.Code}{TopicOf(e)}).",
                "Check the brokers' version and the topic's message.format.version (0.11 or later), kafka.compression, and "
                + "kafka.sasl_mechanism; brokers without transactions take kafka.delivery: frames.")
            { Kind = $"{e.Error.Code}" },
        _ when IsDamaged(e) =>
            new(FailureAction.Stop,
                $"What a broker keeps of the topic is damaged ({e.Error.Code}: {e.Error.Reason}{TopicOf(e)}).",
                "Nothing of it is stored. Where the topic has replicas, let another broker lead the partition (kafka-reassign-partitions), "
                + "or restore the broker's log, and start again. What no broker has whole, delete up to behind it (kafka-delete-records): "
                + "storing then names what is gone, and how to go on without it.")
            { Kind = $"{e.Error.Code}" },
        ErrorCode.InvalidTimestamp =>
            Retry(
                $"By the brokers' clocks the time of a record lies too far ahead, or back ({e.Error.Code}{TopicOf(e)})",
                "Set this machine's clock. How far is taken say message.timestamp.after.max.ms and .before.max.ms of the topic.")
                with { Kind = $"{e.Error.Code}" },
        ErrorCode.InvalidTransactionTimeout =>
            new(FailureAction.Stop,
                "The brokers allow no transaction as long as kafka.transaction_timeout.",
                "Lower kafka.transaction_timeout to at most the brokers' transaction.max.timeout.ms, which is in milliseconds."),
        ErrorCode.UnknownTopicOrPart or ErrorCode.Local_UnknownTopic or ErrorCode.Local_UnknownPartition =>
            Retry($"The topic is not there ({e.Error.Code}{TopicOf(e)})", "Check kafka.topic; it is created where the brokers allow it.")
                with { Kind = $"{e.Error.Code}" },
        ErrorCode.OffsetOutOfRange or ErrorCode.Local_AutoOffsetReset =>
            // Whether records are gone, or the end of the log is, is seen when it is opened again.
            Retry($"Kafka no longer has the offset that is next for the lake ({e.Error.Code}{TopicOf(e)})", "What it has is looked at.")
                with { Kind = $"{e.Error.Code}" },
        _ => Retry($"Kafka failed ({e.Error.Code}: {e.Error.Reason})", "Check kafka.brokers and that the brokers run.")
            with { Kind = $"{e.Error.Code}" },
    };

    private static FailureVerdict File(IOException e) => Errno.Of(e) switch
    {
        Errno.ENOSPC => Retry(
            $"The disk is full{FailedFile.At(e)}{FailedFile.SpaceAt(e)}",
            "Make room on the file system of datalake.path and the streaming folders.") with { Kind = "full disk" },
        Errno.EROFS => Retry(
            $"The file system is read-only{FailedFile.At(e)}",
            "Mount the file system of datalake.path and the streaming folders writable."),
        Errno.ENOTDIR => new(FailureAction.Stop,
            $"A file lies where a folder should be{FailedFile.At(e)}.",
            "Move it away, or correct datalake.path or the streaming folders, and start again."),
        _ => Retry(
            $"A state or lake file could not be read or written{FailedFile.At(e)} ({e.GetType().Name}, error {Errno.Of(e)})",
            "Check the file system of datalake.path and the streaming folders.") with { Kind = $"file error {Errno.Of(e)}" },
    };

    /// <summary>With the address that was asked, in the brackets that are there or its own; the failure's kind stays without.</summary>
    /// <summary>What a broker sent is not what was written there.</summary>
    public static bool IsDamaged(KafkaException failure) =>
        failure.Error.Code is ErrorCode.Local_BadMsg or ErrorCode.Local_BadCompression;

    private static FailureVerdict Addressed(FailureVerdict verdict, Exception failure)
    {
        if (failure is PipelineException or UnreachableBrokerException || Asked(failure, AskedKey) is not { } address) return verdict;
        return At(verdict, address);
    }

    private static FailureVerdict At(FailureVerdict verdict, string address)
    {
        var problem = verdict.Problem.EndsWith(").", StringComparison.Ordinal)
            ? $"{verdict.Problem[..^2]}, at {address})." : $"{verdict.Problem.TrimEnd('.')} (at {address}).";
        return verdict with { Problem = problem, Kind = verdict.Kind };
    }

    private static string TopicOf(KafkaException e) => Asked(e, AskedTopicKey) is { } topic ? $", topic '{topic}'" : "";

    private static string? Asked(Exception? e, string key)
    {
        for (; e is not null; e = e.InnerException)
            if (e.Data[key] is string asked) return asked;
        return null;
    }

    private static FailureVerdict ConnectionBroke() => Retry("The connection to Postgres broke", "Check the server and the network.");

    private static FailureVerdict Retry(string problem, string check) => new(FailureAction.Retry, problem + ".", check, SeesItself: true);

    private static T? Find<T>(Exception? e) where T : Exception
    {
        for (; e is not null; e = e.InnerException)
            if (e is T found) return found;
        return null;
    }
}
