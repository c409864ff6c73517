namespace OrdersStream.Demo.Traffic;

/// <summary>Who orders what, and where.</summary>
internal static class Menu
{
    private static readonly string[] FirstNames =
    [
        "Asha", "Vikram", "Meera", "Rohan", "Fatima", "Joseph", "Ananya", "Karthik", "Sneha", "Zoya", "Liam", "Priya", "Chen", "Zoë",
    ];

    private static readonly string[] LastNames =
    [
        "Rao", "Singh", "Iyer", "Gupta", "Sheikh", "D'Souza", "Das", "Reddy", "Patil", "Khan", "O'Connor", "Sharma", "Wei", "Nair",
    ];

    private static readonly (string Restaurant, string Item, int Price)[] Dishes =
    [
        ("Biryani Blues", "Hyderabadi Chicken Biryani", 349), ("Punjab Grill", "Butter Chicken, 2 Naan", 520),
        ("Saravana Bhavan", "Masala Dosa", 120), ("Wow! Momo", "Steamed Momos (8)", 179), ("Paradise", "Mutton Biryani, Raita", 465),
        ("Goa Portuguesa", "Prawn Balchão", 610), ("Chutneys", "Pesarattu Upma", 145), ("Truffles", "All American Cheese Burger", 285),
        ("Karim's", "Mutton Korma, Khamiri Roti", 540), ("Mainland China", "Hakka Noodles, 花椒豆腐", 580),
        ("Haldiram's", "Chole Bhature", 160), ("MTR", "Rava Idli, Filter Coffee", 140),
    ];

    public static NewOrder Order(Random random)
    {
        var (restaurant, item, price) = Pick(Dishes, random);
        return new NewOrder($"{Pick(FirstNames, random)} {Pick(LastNames, random)}", restaurant, item, price + random.Next(0, 100) / 100m);
    }

    private static T Pick<T>(T[] among, Random random) => among[random.Next(among.Length)];
}

/// <summary>An order as a customer places it.</summary>
internal sealed record NewOrder(string Customer, string Restaurant, string Item, decimal Amount);
