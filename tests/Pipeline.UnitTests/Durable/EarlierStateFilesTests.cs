using System.Text;
using OrdersStream.Capture;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.Rows;

namespace OrdersStream.UnitTests.Durable;

/// <summary>State files byte by byte as the program wrote them before they had an owner: an upgrade goes on from them.</summary>
public sealed class EarlierStateFilesTests : IDisposable
{
    private const string WatermarkText =
        """
        {
          "version": 1,
          "watermark": {
            "source": {
              "system": "7000000000000000001",
              "timeline": "00000001",
              "database": "food_delivery_db",
              "table": "public.orders",
              "tableOid": 4711
            },
            "topic": {
              "clusterId": "cluster",
              "topic": "orders_raw",
              "topicId": "topic-id"
            },
            "windowNumber": 1,
            "horizon": null,
            "window": {
              "number": 1,
              "from": {
                "snapshot": "90:95:",
                "xmin": 90,
                "xmax": 95,
                "seen": "",
                "lowerBound": null,
                "takenAt": "2026-03-01T12:00:00Z",
                "serverStarted": "2026-02-28T12:00:00Z",
                "prepared": {},
                "neverAgainBelow": 90
              },
              "to": {
                "snapshot": "100:2000:",
                "xmin": 100,
                "xmax": 2000,
                "seen": "100-999,1500-1501,1999",
                "lowerBound": "2026-03-01T12:00:00Z",
                "takenAt": "2026-03-01T12:00:00Z",
                "serverStarted": "2026-02-28T12:00:00Z",
                "prepared": {},
                "neverAgainBelow": 2000
              },
              "lowerBound": "2026-03-01T12:00:00Z",
              "page": 1,
              "cursor": {
                "timestamp": "2026-03-01 12:00:00+00",
                "key": [
                  "1",
                  "o'brien \"x\""
                ]
              },
              "rows": 7,
              "isInKeyOrder": false
            },
            "offsets": {
              "0": 17,
              "3": 4
            },
            "rows": 7
          }
        }
        """;

    private const string SchemaText =
        """
        {
          "version": 1,
          "key": [
            "order_id"
          ],
          "timestamp": "updated_at",
          "columns": [
            {
              "name": "order_id",
              "kind": "BigInt",
              "type": "bigint",
              "nullable": false
            },
            {
              "name": "customer_name",
              "kind": "Text",
              "type": "character varying(255)",
              "nullable": false
            },
            {
              "name": "restaurant_name",
              "kind": "Text",
              "type": "character varying(255)",
              "nullable": false
            },
            {
              "name": "item",
              "kind": "Text",
              "type": "character varying(255)",
              "nullable": false
            },
            {
              "name": "amount",
              "kind": "Numeric",
              "type": "numeric(10,2)",
              "precision": 10,
              "scale": 2,
              "nullable": false
            },
            {
              "name": "order_status",
              "kind": "Text",
              "type": "character varying(50)",
              "nullable": false
            },
            {
              "name": "created_at",
              "kind": "TimestampTz",
              "type": "timestamp with time zone",
              "nullable": false
            },
            {
              "name": "updated_at",
              "kind": "TimestampTz",
              "type": "timestamp with time zone",
              "nullable": false
            }
          ]
        }
        """;

    private const string OwnerText =
        """
        {
          "version": 1,
          "clusterId": "",
          "topic": "demo_food_orders_raw",
          "topicId": null
        }
        """;

    private const string CommitText =
        """
        {
          "version": 1,
          "entry": {
            "sequence": 1,
            "writer": "cc7c986b-911a6def-6",
            "committedAt": "2026-11-29T07:35:38.4971728+00:00",
            "topic": {
              "clusterId": "",
              "topic": "demo_food_orders_raw",
              "topicId": null
            },
            "partition": 1,
            "firstOffset": 0,
            "lastOffset": 60,
            "files": [
              {
                "path": "order_date=2026-11-27/part-1-0-0.parquet",
                "temporaryPath": "order_date=2026-11-27/.part-1-0-0.parquet.cc7c986b-911a6def-6.tmp",
                "rows": 1,
                "firstOffset": 0,
                "lastOffset": 0,
                "bytes": 1577
              },
              {
                "path": "order_date=2026-11-29/part-1-1-60.parquet",
                "temporaryPath": "order_date=2026-11-29/.part-1-1-60.parquet.cc7c986b-911a6def-6.tmp",
                "rows": 59,
                "firstOffset": 1,
                "lastOffset": 60,
                "bytes": 4027
              }
            ],
            "quarantine": [],
            "state": {
              "nextOffset": 61,
              "fingerprint": "558466b8e712418c",
              "fingerprintAssumed": false,
              "pageEnded": true,
              "rows": 60,
              "quarantined": 0,
              "files": 2
            }
          },
          "checksum": "2dc7e4152a3aa626"
        }
        """;

    private readonly TempFolder checkpoint = new();

    [Fact]
    public void a_watermark()
    {
        var watermark = Watermark.FromJson(Encoding.UTF8.GetBytes(WatermarkText));
        Assert.Equal((0, 1, 1), watermark.Position);
        Assert.Equal(["1", "o'brien \"x\""], watermark.Window!.Cursor!.Key);
        Assert.Equal(903, watermark.Window.To.Seen.Length);
        Assert.Equal([KeyValuePair.Create(0, 17L), KeyValuePair.Create(3, 4L)], watermark.Offsets);
        Assert.Equal("public.orders", watermark.Source.Table);
    }

    [Fact]
    public void a_schema()
    {
        var folder = Directory.CreateDirectory(Path.Combine(checkpoint.Path, "schemas"));
        File.WriteAllText(Path.Combine(folder.FullName, "558466b8e712418c.json"), SchemaText);
        Assert.Equal(8, new SchemaStore(checkpoint.Path).Read("558466b8e712418c").Columns.Length);
    }

    [Fact]
    public void a_commit_and_its_log()
    {
        var topic = new TopicIdentity("", "demo_food_orders_raw", null);
        var log = Directory.CreateDirectory(Path.Combine(checkpoint.Path, "commits", "cluster-demo_food_orders_raw"));
        File.WriteAllText(Path.Combine(log.FullName, "topic.json"), OwnerText);
        File.WriteAllText(Path.Combine(log.CreateSubdirectory("1").FullName, "00000000000000000001.json"), CommitText + "\n");

        var commits = TopicCommits.Open(new LakeFolder(checkpoint.Path), topic);
        var entry = Assert.Single(Assert.Single(commits.RecentEntries(5)));
        Assert.Equal((61, 60, 2), (entry.State.NextOffset, entry.State.Rows, entry.State.Files));
        Assert.Equal("order_date=2026-11-27/part-1-0-0.parquet", entry.Files[0].Path);
    }

    public void Dispose() => checkpoint.Dispose();
}
