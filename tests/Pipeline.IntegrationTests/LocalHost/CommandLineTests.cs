using System.CommandLine;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using OrdersStream.LocalHost.CommandLine;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Programs;

namespace OrdersStream.IntegrationTests.LocalHost;

/// <summary>The real program as a child process, as far as it goes without a server.</summary>
public sealed class CommandLineTests : IDisposable
{
    private const string Secret = "Zq7xWv9k";

    private const string Usable =
        """
        postgres: 
          jdbc_url: jdbc:postgresql://127.0.0.1:1/d
          user: u
          table: <rollnumber>_orders
        kafka:
          brokers: 127.0.0.1:1
          topic: t
        datalake:
          path: lake
        streaming:
          checkpoint_location: checkpoints
          last_processed_timestamp_location: lastprocess

        """;

    private readonly TestFolder folder = new();

    public void Dispose() => folder.Dispose();

    /// <summary>Of a verb that gives a verdict, that there is none: 1 would be one.</summary>
    [Theory]
    [InlineData("run", 1)]
    [InlineData("verify", 2)]
    [InlineData("repair", 2)]
    [InlineData("recapture", 2)]
    [InlineData("status", 2)]
    [InlineData("check", 2)]
    [InlineData("history 5", 2)]
    [InlineData("files --key 5", 2)]
    public void a_verb_that_fails_ends_with_its_code_for_that(string verb, int code) =>
        Assert.Equal(code, Commands.ExitCodeOfFailure(Commands.Root().Parse(verb.Split(' '))));

    [Theory]
    [InlineData("")]
    [InlineData("run")]
    [InlineData("verify")]
    [InlineData("repair")]
    [InlineData("recapture")]
    [InlineData("status")]
    [InlineData("quarantine")]
    [InlineData("quarantine list")]
    [InlineData("quarantine show")]
    [InlineData("quarantine replay")]
    [InlineData("history")]
    [InlineData("files")]
    [InlineData("stats")]
    [InlineData("check")]
    [InlineData("doctor")]
    [InlineData("init")]
    [InlineData("config")]
    public async Task every_verb_has_help_with_an_example(string verb)
    {
        var result = await RunAsync([.. verb.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"]);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Contains("Examples:", result.Output);
        Assert.Contains("Exit codes:", result.Output);
        if (verb is "run" or "verify" or "status")
            Assert.All(
                ["--print-config", "--set", "--rollnumber", "last_processed_timestamp_location"],
                word => Assert.Contains(word, result.Output));
    }

    /// <summary>What a script may rely on is its verb's own.</summary>
    [Theory]
    [InlineData("run", "3 --once: not all is done")]
    [InlineData("verify", "0 lake and table agree; 1 they differ; 2 it cannot be told")]
    [InlineData("recapture", "0 what was asked for is in the topic; 2 it is not")]
    [InlineData("status", "0 all is well")]
    [InlineData("quarantine replay", "2 nothing that was asked for waits")]
    [InlineData("history", "0 the lake has versions of the row; 1 it has none")]
    [InlineData("check", "0 ready: everything was looked at")]
    [InlineData("init", "0 printed; 1 there is no such table")]
    [InlineData("config", "0 done, and a file that was to be checked can be used; 2 it cannot")]
    public async Task each_verbs_help_tells_its_own_exit_codes(string verb, string expected) =>
        Assert.Contains(expected, (await RunAsync([.. verb.Split(' '), "--help"])).Output.Split("Exit codes:")[1]);

    [Fact]
    public async Task replay_sends_nothing_that_nobody_asked_for()
    {
        var result = await RunAsync(["quarantine", "replay", "--rollnumber", "ab1"]);
        Assert.Equal((2, ""), (result.ExitCode, result.Output));
        Assert.Contains("give --cause, --partition, --offsets, --file, or --all", result.Error, StringComparison.Ordinal);
        Assert.Contains("--offsets is no FROM..TO", (await RunAsync(["quarantine", "show", "--offsets", "9-5"])).Error);
    }

    [Fact]
    public async Task a_configuration_can_be_checked_alone_as_run_would_take_it()
    {
        File.WriteAllText(ConfigFile, Usable);
        var good = await RunAsync(["config", "--check", ConfigFile, "--rollnumber", "ab1", "--set", "kafka.topic=t2"]);
        Assert.Equal((0, ""), (good.ExitCode, good.Error));
        Assert.Equal($"{ConfigFile} can be used: public.ab1_orders -> t2 -> lake", Assert.Single(Lines(good.Output)));

        File.WriteAllText(ConfigFile, Usable.Replace("topic: t", "topic: t\n  tabel: x").Replace("user: u", "port: x"));
        var bad = await RunAsync(["config", "--check", ConfigFile, "--rollnumber", "ab1"]);
        Assert.Equal((2, ""), (bad.ExitCode, bad.Output));
        Assert.Equal(3, Lines(bad.Error).Length);
        Assert.All(Lines(bad.Error), line => Assert.StartsWith(ConfigFile + ":", line));
    }

    /// <summary>As a volume that is not mounted looks: nothing was looked at, so nothing is said of it.</summary>
    [Theory]
    [InlineData("quarantine list", 1)]
    [InlineData("quarantine show", 1)]
    [InlineData("stats", 1)]
    [InlineData("history 5", 2)]
    [InlineData("files --key 5", 2)]
    public async Task where_there_is_no_lake_it_is_not_answered_for(string verb, int code)
    {
        File.WriteAllText(ConfigFile, Usable);
        var result = await RunAsync([.. verb.Split(' '), "--config", ConfigFile, "--rollnumber", "ab1"]);
        Assert.Equal((code, ""), (result.ExitCode, result.Output));
        Assert.StartsWith($"There is no lake of this stream: '{folder.PathOf("lake")}' has no file of it, ", Lines(result.Error)[0]);
        Assert.Equal([ConfigFile], Directory.GetFileSystemEntries(folder.Path));
    }

    /// <summary>As a variable of the shell that is not set leaves it.</summary>
    [Fact]
    public void an_empty_value_is_refused_or_taken_and_ends_no_program()
    {
        var tried = 0;
        Try(Commands.Root(), []);
        Assert.True(tried > 50);

        void Try(Command command, string[] path)
        {
            foreach (var name in command.Options.Select(o => o.Name))
            {
                _ = Commands.Root().Parse([.. path, name, ""]).Errors.Count;
                tried++;
            }
            foreach (var verb in command.Subcommands) Try(verb, [.. path, verb.Name]);
        }
    }

    /// <summary>1 would be a verdict: that they differ.</summary>
    [Fact]
    public async Task a_second_signal_ends_it_at_once_and_without_a_verdict()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        File.WriteAllText(ConfigFile, Usable.Replace("127.0.0.1:1", silent.LocalEndpoint.ToString()));
        // Behind the first it ends by itself within a second: where that was sooner than the other signal came, nothing was tried.
        int code;
        do code = await SignalTwiceAsync(silent);
        while (code == 2);
        Assert.Equal(128 + 15, code);
    }

    private async Task<int> SignalTwiceAsync(TcpListener silent)
    {
        // Its stderr behind its stdout, and the program in the shell's place.
        using var program = new RunningProgram(new ProcessStartInfo("bash", ["-c", "exec \"$@\" 2>&1", "bash", "dotnet",
            Path.Combine(AppContext.BaseDirectory, "orders-stream.dll"), "verify", "--config", ConfigFile, "--rollnumber", "ab1"]));
        using var asked = await silent.AcceptTcpClientAsync(TestContext.Current.CancellationToken).AsTask()
            .WithPatienceAsync("its first connection");
        await program.SignalAsync("TERM");
        await program.UntilSaidAsync("stopping (once more to end at once)");
        await program.SignalAsync("TERM");
        return (await program.EndAsync()).ExitCode;
    }

    /// <summary>Its default lies beside the program where it was published; here there is none.</summary>
    [Fact]
    public async Task without_a_file_that_of_the_working_folder_is_taken()
    {
        Directory.CreateDirectory(folder.PathOf("configs"));
        File.WriteAllText(folder.PathOf("configs/orders_stream.yml"), Usable);
        var result = await RunAsync(["run", "--rollnumber", "ab1", "--print-config"]);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Contains("ab1_orders", result.Output);
    }

    [Theory]
    [InlineData("", "run verify repair recapture status check init config")]
    [InlineData("ver", "verify")]
    [InlineData("run --o", "--once --only")]
    [InlineData("run --only ", "kafka-to-lake postgres-to-kafka")]
    [InlineData("run --log-level ", "warning")]
    public async Task a_shell_that_sources_the_script_completes_verbs_options_and_values(string typed, string expected)
    {
        var program = folder.PathOf("orders-stream");
        File.WriteAllText(program, $"#!/bin/sh\nexec dotnet '{Path.Combine(AppContext.BaseDirectory, "orders-stream.dll")}' \"$@\"\n");
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        var line = $"{program} {typed}";
        var start = new ProcessStartInfo("bash", ["-c",
            """
            source "$1"; COMP_LINE=$2 COMP_POINT=${#2}; read -ra COMP_WORDS <<< "$2"
            [[ $(complete -p orders-stream) =~ -F\ ([^ ]+) ]]; "${BASH_REMATCH[1]}" "$3" "${COMP_LINE##* }"; printf '%s\n' "${COMPREPLY[@]}"
            """, "bash", Repository.PathOf("deploy/orders-stream.bash"), line, program]) { WorkingDirectory = folder.Path };
        using var shell = new RunningProgram(start);
        var result = await shell.EndApartAsync();
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Subset(Lines(result.Output).ToHashSet(), expected.Split(' ').ToHashSet());
        if (typed.EndsWith("ver")) Assert.Single(Lines(result.Output));
    }

    [Fact]
    public async Task the_version_is_told()
    {
        var result = await RunAsync(["--version"]);
        Assert.Equal(0, result.ExitCode);
        Assert.Matches(@"^\d+\.\d+\.\d+", result.Output);
    }

    [Theory]
    [InlineData("run --onse", "unknown option '--onse'; did you mean '--once'?")]
    [InlineData("verfy", "unknown verb or argument 'verfy'; did you mean 'verify'?")]
    [InlineData("run --sett postgres.password=" + Secret, "unknown option '--sett'; did you mean '--set'?")]
    [InlineData("run --password " + Secret, "unknown option '--password'")]
    [InlineData("run --only both", "Argument 'both' not recognized. Must be one of: 'postgres-to-kafka' 'kafka-to-lake'")]
    [InlineData(
        "run --log-level warn", "--log-level is none of trace|debug|information|warning|error|critical|none; did you mean 'warning'?")]
    [InlineData("history", "history tells of one row: give its key, once")]
    [InlineData("history 5 --key 5", "history tells of one row: give its key, once")]
    [InlineData("run --log-level loud", "--log-level is none of trace|debug|information|warning|error|critical|none")]
    [InlineData(
        "run --ui example:1", "--ui is 'example:1', which is no port and no address:port of this machine (8081, 0.0.0.0:8080, [::1]:8080)")]
    [InlineData("verify --since 2w", "--since is no number with a unit (30s, 15m, 2h, 7d)")]
    [InlineData("verify --since 2h --from 2026-11-30", "--since and --from both say where to begin: give one of them")]
    [InlineData("config --set a.b=c", "--set says something of a configuration: name its file by --check")]
    [InlineData("--seconds 0", "--seconds is 0, which is not in 1 to 86400")]
    public async Task a_bad_command_line_exits_with_2_and_one_line_each(string arguments, string expected)
    {
        var result = await RunAsync(arguments.Split(' '));
        Assert.Equal((2, ""), (result.ExitCode, result.Output));
        Assert.Equal([expected, "--help shows what can be asked for"], Lines(result.Error));
    }

    [Theory]
    [InlineData("run")]
    [InlineData("verify")]
    [InlineData("status")]
    public async Task a_bad_configuration_exits_with_2_and_one_line_a_fault(string verb)
    {
        File.WriteAllText(ConfigFile, "postgres:\n  password: " + Secret + "\n  port: x\n");
        var result = await RunAsync([verb, "--config", ConfigFile]);
        Assert.Equal((2, ""), (result.ExitCode, result.Output));
        Assert.All(Lines(result.Error), line => Assert.StartsWith(ConfigFile + ":", line));
        Assert.Contains(ConfigFile + ":3:9: postgres.port is 'x', which is no whole number; it must be 1 to 65535", Lines(result.Error));
        Assert.DoesNotContain(Secret, result.Error);
    }

    [Fact]
    public async Task print_config_shows_what_is_in_force_without_secrets_and_starts_nothing()
    {
        File.WriteAllText(ConfigFile, Usable);
        var result = await RunAsync(
            ["run", "--config", ConfigFile, "--set", "postgres.port=2", "--print-config"],
            new() { ["Postgres__Password"] = Secret, ["ROLLNUMBER"] = "24BCS001" });
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.All(
            ["  port: 2", "  password: \"********\"", "  table: \"24BCS001_orders\"", "  jdbc_url: \"jdbc:postgresql://127.0.0.1:2/d\""],
            line => Assert.Contains(line, Lines(result.Output)));
        Assert.DoesNotContain(Secret, result.Output);
        Assert.DoesNotContain('\e', result.Output);
        Assert.Equal([ConfigFile], Directory.GetFileSystemEntries(folder.Path));
    }

    /// <summary>Under a terminal, which util-linux' script gives it; redirected, lines have none (print_config_... sees that).</summary>
    [Fact]
    public async Task on_a_terminal_the_log_of_run_is_coloured()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && File.Exists("/usr/bin/script"), "needs util-linux' script");
        File.WriteAllText(ConfigFile, Usable);
        var command = $"exec dotnet '{Path.Combine(AppContext.BaseDirectory, "orders-stream.dll")}' run --rollnumber ab1 -c '{ConfigFile}'";
        var start = new ProcessStartInfo("/usr/bin/script", ["-qec", command, "/dev/null"]) { WorkingDirectory = folder.Path };
        start.Environment.Remove("NO_COLOR");
        start.Environment["TERM"] = "xterm";
        using var program = new RunningProgram(start);
        await program.UntilSaidAsync("\e[33mWARN \e[0m");
        await program.SignalAsync("TERM");
    }

    private string ConfigFile => folder.PathOf("test.yml");

    private static string[] Lines(string text) => text.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries);

    private async Task<(int ExitCode, string Output, string Error)> RunAsync(
        string[] arguments, Dictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "orders-stream.dll"), .. arguments])
        {
            WorkingDirectory = folder.Path,
        };
        start.Environment.Remove("ROLLNUMBER");
        foreach (var (name, value) in environment ?? []) start.Environment[name] = value;
        using var program = new RunningProgram(start);
        return await program.EndApartAsync();
    }
}
