Console.WriteLine("orders-stream");
