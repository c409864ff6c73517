using OrdersStream.Configuration;

namespace OrdersStream.UnitTests.Configuration;

public class JdbcUrlTests
{
    private static ConfigurationFile WithUrl(string url, string more = "") =>
        ConfigurationFile.PlanWithServer($"  jdbc_url: \"{url}\"\n{more}".TrimEnd('\n'));

    [Theory]
    [InlineData("jdbc:postgresql://h:6543/d", "", "h", 6543, "d")]
    [InlineData("jdbc:postgresql://h/d", "", "h", 5432, "d")]
    [InlineData("jdbc:postgresql://h/d", "  port: 6543", "h", 6543, "d")]
    [InlineData("jdbc:postgresql://h:6543/", "  db: d", "h", 6543, "d")]
    [InlineData("jdbc:postgresql://h", "  db: d", "h", 5432, "d")]
    [InlineData("jdbc:postgresql:///d", "  host: h", "h", 5432, "d")]
    [InlineData("jdbc:postgresql://:6543/d", "  host: h", "h", 6543, "d")]
    [InlineData("jdbc:postgresql:d", "  host: h", "h", 5432, "d")]
    [InlineData("jdbc:postgresql:/", "  host: h\n  db: d", "h", 5432, "d")]
    [InlineData("jdbc:postgresql://[::1]:6543/d", "", "::1", 6543, "d")]
    [InlineData("jdbc:postgresql://[fe80::2]/d", "", "fe80::2", 5432, "d")]
    [InlineData("jdbc:postgresql://h/food%20%2F+%C3%A4", "", "h", 5432, "food / ä")]
    [InlineData("jdbc:postgresql://%2Fvar%2Frun%2Fpostgresql/d", "", "/var/run/postgresql", 5432, "d")]
    [InlineData("jdbc:postgresql://H:6543/d", "  host: h\n  port: 6543\n  db: d", "h", 6543, "d")]
    [InlineData("", "  host: h\n  db: d", "h", 5432, "d")]
    public void host_port_and_db_come_from_the_url_or_from_their_keys(string url, string more, string host, int port, string db)
    {
        using var file = WithUrl(url, more);
        var postgres = file.Load().Postgres;
        Assert.Equal((host, port, db), (postgres.Host, postgres.Port, postgres.Db));
    }

    [Theory]
    [InlineData("jdbc:postgresql://h/d", "  host: other",
        "test.yml:3:9: postgres.host is 'other', but the host in postgres.jdbc_url (test.yml:2:32) is 'h'; make them agree, or remove one")]
    [InlineData("jdbc:postgresql://h:6543/d", "  port: 5432",
        "test.yml:3:9: postgres.port is '5432', but the port in postgres.jdbc_url (test.yml:2:33) is '6543'; "
            + "make them agree, or remove one")]
    [InlineData("jdbc:postgresql://h/d", "  db: D",
        "test.yml:3:7: postgres.db is 'D', but the db in postgres.jdbc_url (test.yml:2:17) is 'd'; make them agree, or remove one")]
    [InlineData("jdbc:postgresql://h/d?sslmode=require", "  sslmode: disable",
        "test.yml:3:12: postgres.sslmode is 'disable', but the parameter sslmode of postgres.jdbc_url (test.yml:2:36) is 'require'; "
            + "make them agree, or remove one")]
    [InlineData("jdbc:postgresql://h/d?ssl=true", "  sslmode: require",
        "test.yml:3:12: postgres.sslmode is 'require', but the parameter ssl of postgres.jdbc_url (test.yml:2:31) is 'verify-full'; "
            + "make them agree, or remove one")]
    [InlineData("jdbc:postgresql://h/d?password=hunter2", "",
        "test.yml:4:13: postgres.password differs from the parameter password of postgres.jdbc_url (test.yml:2:36); remove one of them")]
    public void url_and_key_of_one_source_must_agree(string url, string more, string expected)
    {
        using var file = WithUrl(url, more);
        var fault = Assert.Single(file.Faults());
        Assert.Equal(Unplaced(expected), Unplaced(fault));
    }

    [Fact]
    public void a_disagreement_shows_both_places()
    {
        using var file = ConfigurationFile.PlanWith("port: 5432", "port: 5433");
        Assert.Equal(
            ["test.yml:4:9: postgres.port is '5433', but the port in postgres.jdbc_url (test.yml:2:40) is '5432'; "
                + "make them agree, or remove one"],
            file.Faults());
    }

    [Fact]
    public void a_later_source_wins_over_an_earlier_ones_url_and_the_reverse()
    {
        using var file = new ConfigurationFile(ConfigurationFile.Plan);
        var byKey = file.Load(["postgres.port=5433"], new() { ["Postgres__Host"] = "localhost" }).Postgres;
        Assert.Equal(("localhost", 5433, "food_delivery_db"), (byKey.Host, byKey.Port, byKey.Db));
        Assert.Equal("jdbc:postgresql://localhost:5433/food_delivery_db", byKey.JdbcUrl);
        using var otherPort = new ConfigurationFile(ConfigurationFile.Plan.Replace("5432", "6000", StringComparison.Ordinal));
        var byUrl = otherPort.Load(["postgres.jdbc_url=jdbc:postgresql://other/x"]).Postgres;
        Assert.Equal(("other", 5432, "x"), (byUrl.Host, byUrl.Port, byUrl.Db));
    }

    [Fact]
    public void the_parameters_that_have_a_key_are_honoured()
    {
        using var file = ConfigurationFile.PlanWith(
            "jdbc:postgresql://postgres:5432/food_delivery_db",
            "jdbc:postgresql://postgres:5432/food_delivery_db?user=student&sslmode=Require&connectTimeout=7&ApplicationName=my+app"
            + "&currentSchema=shop&ssl=true&password=student123");
        var postgres = file.Load().Postgres;
        Assert.Equal(("require", 7, "my app", "shop", "student123"),
            (postgres.Sslmode, postgres.ConnectTimeout, postgres.ApplicationName, postgres.Schema, postgres.Password));
    }

    [Theory]
    [InlineData("ssl=true", "verify-full")]
    [InlineData("ssl", "verify-full")]
    [InlineData("ssl=false", "prefer")]
    [InlineData("ssl=true&sslmode=verify-ca", "verify-ca")]
    [InlineData("sslmode=verify-ca&ssl=true", "verify-ca")]
    public void ssl_means_what_it_means_to_the_jdbc_driver(string parameters, string sslmode)
    {
        using var file = WithUrl("jdbc:postgresql://h/d?" + parameters);
        Assert.Equal(sslmode, file.Load().Postgres.Sslmode);
    }

    [Fact]
    public void certificates_are_taken_from_the_url()
    {
        using var file = WithUrl("jdbc:postgresql://h/d");
        File.WriteAllText(file.Beside("ca.pem"), "");
        var pem = file.Beside("ca.pem");
        var url = $"jdbc:postgresql://h/d?sslmode=verify-full&sslrootcert={pem}&sslcert={pem}&sslkey={pem}";
        var postgres = file.Load([$"postgres.jdbc_url={url}"]).Postgres;
        Assert.Equal(Enumerable.Repeat(file.Beside("ca.pem"), 3), [postgres.Sslrootcert!, postgres.Sslcert!, postgres.Sslkey!]);
    }

    [Theory]
    [InlineData("jdbc:mysql://h/d", "2:13: postgres.jdbc_url must begin with jdbc:postgresql://")]
    [InlineData("postgresql://u:hunter2@h/d", "2:13: postgres.jdbc_url must begin with jdbc:postgresql://")]
    [InlineData("jdbc:postgresql://u:hunter2@h/d",
        "2:13: postgres.jdbc_url holds an @ before its parameters; give user and password by the keys user and password, "
            + "or by ?user=...&password=...")]
    [InlineData("jdbc:postgresql://h/d;password=hunter2", "2:13: postgres.jdbc_url must begin its parameters with ? and part them by &")]
    [InlineData("jdbc:postgresql://h1:5432,h2:5432/d",
        "2:13: postgres.jdbc_url names several hosts; one source is read, so name one (after a failover, change it)")]
    [InlineData("jdbc:postgresql://::1/d",
        "2:13: postgres.jdbc_url holds more than one colon in host and port; an IPv6 address stands in brackets")]
    [InlineData("jdbc:postgresql://[h]/d", "2:13: postgres.jdbc_url holds brackets that enclose no IPv6 address")]
    [InlineData("jdbc:postgresql://h:port/d", "2:13: postgres.jdbc_url holds a port that is no whole number; it must be 1 to 65535")]
    [InlineData("jdbc:postgresql://h:0/d", "2:33: the port in postgres.jdbc_url is 0, which is out of range; it must be 1 to 65535")]
    [InlineData("jdbc:postgresql://h/a/b", "2:13: postgres.jdbc_url holds a / in the database's name; write it as %2F")]
    [InlineData("jdbc:postgresql://h/a%C3",
        "2:13: the database in postgres.jdbc_url holds a % that begins no UTF-8 character (write % itself as %25)")]
    [InlineData("jdbc:postgresql://h/a%4",
        "2:13: the database in postgres.jdbc_url holds a % that begins no UTF-8 character (write % itself as %25)")]
    [InlineData("jdbc:postgresql://h/a%zz",
        "2:13: the database in postgres.jdbc_url holds a % that begins no UTF-8 character (write % itself as %25)")]
    [InlineData("jdbc:postgresql://h/d?prepareThreshold=0",
        "2:36: the parameter 'prepareThreshold' of postgres.jdbc_url is not supported; remove it")]
    [InlineData("jdbc:postgresql://h/d?applicationName=x",
        "2:36: the parameter 'applicationName' of postgres.jdbc_url is not supported; did you mean 'ApplicationName'?")]
    [InlineData("jdbc:postgresql://h/d?user=student&user=x", "2:36: postgres.jdbc_url gives user twice")]
    [InlineData("jdbc:postgresql://h/d?connectTimeout=0",
        "2:36: the parameter connectTimeout of postgres.jdbc_url is 0, which is out of range; it must be 1 to 300 seconds")]
    [InlineData("jdbc:postgresql://h/d?sslmode=on",
        "2:36: the parameter sslmode of postgres.jdbc_url is 'on'; it must be disable, allow, prefer, require, verify-ca or verify-full")]
    [InlineData("jdbc:postgresql://h/d?ssl=maybe", "2:36: the parameter ssl of postgres.jdbc_url must be true or false")]
    [InlineData("jdbc:postgresql://h/d?currentSchema=a,b",
        "2:36: the parameter currentSchema of postgres.jdbc_url names several schemas; name the table's")]
    [InlineData("jdbc:postgresql://h/d?password=hun&ter2",
        "2:49: postgres.jdbc_url holds a parameter behind the password that is not supported; "
            + "remove it, or where the password has an &, write it as %26, or use the key password")]
    public void a_url_that_cannot_be_honoured_is_refused_at_its_place(string url, string expected)
    {
        using var file = new ConfigurationFile(WithoutPassword(url));
        Assert.Equal(["test.yml:" + expected], file.Faults());
    }

    [Theory]
    [InlineData("jdbc:postgresql:d",
        "postgres lacks the key 'host' (and jdbc_url does not give it): Host name or address of the server, "
            + "or the folder of its Unix socket.")]
    [InlineData("jdbc:postgresql://h", "postgres lacks the key 'db' (and jdbc_url does not give it): Database name.")]
    public void host_and_db_must_come_from_somewhere(string url, string expected)
    {
        using var file = WithUrl(url);
        Assert.Equal(["test.yml:1:1: " + expected], file.Faults());
    }

    [Theory]
    [InlineData("localhost:5432", "is 'localhost:5432'; a port goes to postgres.port")]
    [InlineData("a,b", "names several hosts; one source is read, so name one")]
    [InlineData("a b", "is 'a b', which is no host name, address or socket folder")]
    [InlineData("u:hunter2@h", "is '********@h'; a port goes to postgres.port")]
    public void a_host_is_a_host(string host, string expected)
    {
        using var file = ConfigurationFile.PlanWithServer($"  host: \"{host}\"\n  db: d");
        Assert.Equal([$"test.yml:2:9: postgres.host {expected}"], file.Faults());
    }

    [Theory]
    [InlineData("::1", 5432, "d", "jdbc:postgresql://[::1]:5432/d")]
    [InlineData("/run/pg", 1, "a b", "jdbc:postgresql://%2Frun%2Fpg:1/a%20b")]
    public void the_url_that_is_printed_reads_back(string host, int port, string db, string expected)
    {
        Assert.Equal(expected, JdbcUrl.Format(host, port, db));
        using var file = WithUrl(expected);
        var postgres = file.Load().Postgres;
        Assert.Equal((host, port, db), (postgres.Host, postgres.Port, postgres.Db));
    }

    private static string WithoutPassword(string url) => ConfigurationFile.Plan
        .Replace("jdbc:postgresql://postgres:5432/food_delivery_db", url, StringComparison.Ordinal)
        .Replace("  host: postgres\n  port: 5432\n  db: \"food_delivery_db\"\n", "", StringComparison.Ordinal)
        .Replace("  password: \"student123\"\n", "", StringComparison.Ordinal);

    /// <summary>The message without lines and columns.</summary>
    private static string Unplaced(string fault) => System.Text.RegularExpressions.Regex.Replace(fault, "\\d+:\\d+", "0:0");
}
