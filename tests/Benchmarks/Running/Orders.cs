namespace OrdersStream.Benchmarks.Running;

/// <summary>What orders are made of: few dishes and places, some more customers, and an id that is unique.</summary>
internal static class Orders
{
    private static readonly string[] FirstNames =
    [
        "Aditi", "Bharat", "Chitra", "Devika", "Eshan", "Farah", "Girish", "Hema", "Imran", "Jaya", "Kabir", "Leela", "Mohan", "Noor",
    ];
    private static readonly string[] LastNames =
    [
        "Agarwal", "Bhatt", "Chandra", "Dutta", "Fernandes", "Gill", "Hussain", "Joshi", "Kapoor", "Lal", "Mehta", "Naidu", "O'Brien",
    ];

    public static readonly string[] Customers = [.. FirstNames.SelectMany(f => LastNames.Select(l => $"{f} {l}"))];
    public static readonly string[] Restaurants =
        [
            "Annapurna Bhojanalaya", "Bombay Canteen", "Café Lobo", "Dakshin Coastal", "Empire Restaurant", "Flurys Tearoom",
            "Green Leaf Express", "Hotel Saravana", "Indian Accent", "Jakob's Kitchen", "Kesar Thali House"];
    public static readonly string[] Items =
    [
        "Paneer Tikka, Butter Naan", "Vegetable Biryani, Raita", "Idli Vada Sambar", "Chicken 65, Lemon Rice", "Aloo Paratha with Curd",
        "Fish Curry Meal", "Mysore Masala Dosa, Filter Coffee",
        "Dal Tadka, Jeera Rice, Papad", "Egg Hakka Noodles", "Gobi Manchurian, Fried Rice", "Mutton Rogan Josh, 2 Roti",
        "Pav Bhaji, extra Pav", "Rasgulla (6), Mishti Doi",
    ];
    public static readonly string[] Statuses =
    [
        "DELIVERED", "DELIVERED", "PLACED", "DELIVERED", "PREPARING", "OUT_FOR_DELIVERY", "CANCELLED",
    ];

    public static string Customer(long id) => Customers[id * 7919 % Customers.Length];
    public static string Restaurant(long id) => Restaurants[id * 31 % Restaurants.Length];
    public static string Item(long id) => Items[id * 131 % Items.Length];
    public static string Status(long id) => Statuses[id * 17 % Statuses.Length];
    public static decimal Amount(long id) => (10_000 + id * 7919 % 50_000) / 100m;
}
