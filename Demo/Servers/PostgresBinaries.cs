using System.Text.RegularExpressions;

namespace OrdersStream.Demo.Servers;

/// <summary>
/// Where the programs of a Postgres server lie on this machine. A folder counts when it holds <c>initdb</c>, <c>pg_ctl</c>
/// and <c>postgres</c> of <see cref="LeastVersion"/> or later; the first that counts is taken.
/// </summary>
public sealed partial record PostgresBinaries(string Directory, int MajorVersion)
{
    /// <summary>The pipeline needs pg_current_snapshot and xid8, which came with this version.</summary>
    public const int LeastVersion = 13;

    public string Program(string name) => ProgramIn(Directory, name);

    /// <summary>The programs in <paramref name="directory"/>, or null when they are not all there or too old.</summary>
    public static async Task<PostgresBinaries?> InAsync(string directory, CancellationToken cancellationToken)
    {
        if (!new[] { "initdb", "pg_ctl", "postgres" }.All(p => File.Exists(ProgramIn(directory, p)))) return null;
        var answer = await ChildProgram.TryRunAsync([ProgramIn(directory, "postgres"), "--version"], null, cancellationToken);
        return answer is { ExitCode: 0 } && MajorOf(answer.Output) is { } major and >= LeastVersion
            ? new PostgresBinaries(directory, major)
            : null;
    }

    /// <summary>PATH, the folders of the common packages newest first, and what <c>pg_config</c> names; null when none has them.</summary>
    public static async Task<PostgresBinaries?> FindAsync(CancellationToken cancellationToken)
    {
        foreach (var directory in Candidates())
            if (await InAsync(directory, cancellationToken) is { } found) return found;
        var config = await ChildProgram.TryRunAsync(["pg_config", "--bindir"], null, cancellationToken);
        return config is { ExitCode: 0 } ? await InAsync(config.Output, cancellationToken) : null;
    }

    /// <summary>The major version in a line such as <c>postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)</c>.</summary>
    internal static int? MajorOf(string versionLine) =>
        VersionPattern().Match(versionLine) is { Success: true } match ? int.Parse(match.Groups[1].ValueSpan) : null;

    private static IEnumerable<string> Candidates()
    {
        var path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        return path
            .Concat(NewestFirst("/usr/lib/postgresql", "*", "bin"))
            .Concat(NewestFirst("/usr", "pgsql-*", "bin"))
            .Concat(NewestFirst("/opt/homebrew/opt", "postgresql*", "bin"))
            .Concat(NewestFirst("/usr/local/opt", "postgresql*", "bin"))
            .Concat(NewestFirst("/Applications/Postgres.app/Contents/Versions", "*", "bin"))
            .Concat(NewestFirst(Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.ProgramFiles), "PostgreSQL"), "*", "bin"));
    }

    private static IEnumerable<string> NewestFirst(string parent, string pattern, string below) =>
        System.IO.Directory.Exists(parent)
            ? System.IO.Directory.GetDirectories(parent, pattern)
                .OrderByDescending(d => FirstNumber().Match(Path.GetFileName(d)) is { Success: true } m ? int.Parse(m.ValueSpan) : 0)
                .Select(d => Path.Combine(d, below))
            : [];

    private static string ProgramIn(string directory, string name) =>
        Path.Combine(directory, OperatingSystem.IsWindows() ? name + ".exe" : name);

    [GeneratedRegex(@"\(PostgreSQL\) (\d{1,4})")]
    private static partial Regex VersionPattern();

    [GeneratedRegex(@"\d{1,4}")]
    private static partial Regex FirstNumber();
}
