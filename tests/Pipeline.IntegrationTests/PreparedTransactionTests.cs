using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>
/// A prepared transaction is in no session: Postgres tells when it was prepared and not when it began, and it may stay
/// for days (invariant 1).
/// </summary>
public sealed class PreparedTransactionTests(PostgresServer postgres, KafkaServer kafka)
{
    [Fact]
    public async Task one_that_was_prepared_before_the_first_poll_arrives_when_it_is_committed()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        var name = stream.Database.Name;
        await stream.ExecuteAsync(
            $"BEGIN; INSERT INTO items (id, updated_at) VALUES (1000, now() - interval '1 day'); PREPARE TRANSACTION '{name}'");
        for (var id = 1; id <= 3; id++)
        {
            await stream.ExecuteAsync($"INSERT INTO items (id) VALUES ({id})");
            Assert.Equal(1, (await stream.PollAsync()).Rows);
        }

        await stream.ExecuteAsync($"COMMIT PREPARED '{name}'");

        Assert.Equal(1, (await stream.PollAsync()).Rows);
        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task one_that_began_before_a_poll_and_is_prepared_after_it_arrives_when_it_is_committed()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        var name = stream.Database.Name;
        await using var session = await stream.Database.OpenSessionAsync();
        await session.ExecuteAsync("BEGIN; INSERT INTO items (id) VALUES (1000); SAVEPOINT s; INSERT INTO items (id) VALUES (1001)");
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (1)");
        await stream.PollAsync();
        await session.ExecuteAsync($"PREPARE TRANSACTION '{name}'");
        // Open across polls, and across a restart: its bound is kept in the watermark file.
        for (var id = 2; id <= 4; id++)
        {
            await stream.ExecuteAsync($"INSERT INTO items (id) VALUES ({id})");
            Assert.Equal(1, (await stream.PollAsync()).Rows);
            await stream.RestartAsync();
        }

        await stream.ExecuteAsync($"COMMIT PREPARED '{name}'");

        Assert.Equal(2, (await stream.PollAsync()).Rows);
        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task one_that_is_prepared_and_committed_between_two_polls_arrives()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        var name = stream.Database.Name;
        await using var session = await stream.Database.OpenSessionAsync();
        await session.ExecuteAsync("BEGIN; INSERT INTO items (id) VALUES (1000)");
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (1)");
        await stream.PollAsync();
        await session.ExecuteAsync($"PREPARE TRANSACTION '{name}'; COMMIT PREPARED '{name}'");

        Assert.Equal(1, (await stream.PollAsync()).Rows);
        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task one_that_is_rolled_back_leaves_nothing_and_holds_nothing_back()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        var name = stream.Database.Name;
        await stream.ExecuteAsync($"BEGIN; INSERT INTO items (id) VALUES (1000); PREPARE TRANSACTION '{name}'");
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (1)");
        await stream.PollAsync();
        await stream.ExecuteAsync($"ROLLBACK PREPARED '{name}'");
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (2)");

        Assert.Equal(1, (await stream.PollAsync()).Rows);
        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
        Assert.Equal(2, stream.Dump().Records.Count);
    }
}
